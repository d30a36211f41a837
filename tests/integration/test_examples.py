"""Every example DAG, run by a real Airflow against Seldon Core on this machine."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import airflow_provider_seldon
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import LocalOptions
from tests.airflow_version import AIRFLOW_3_3
from tests.integration.interventions import TOO_LATE
from tests.python_process import ask_python

# One process runs all the DAGs, once.
pytestmark = [pytest.mark.xdist_group("examples"), pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "example_dags"
PACKAGE = str(Path(airflow_provider_seldon.__file__).parent.parent)
#: A model server of another owner: it answers as a classifier that is sure.
FOREIGN = """
apiVersion: machinelearning.seldon.io/v1
kind: SeldonDeployment
metadata: {name: iris}
spec:
  predictors:
    - name: default
      replicas: 1
      componentSpecs:
        - spec:
            containers:
              - name: model
                image: theirs/iris:1
                command: [python, -m, airflow_provider_seldon.serving, --predict, "sure:predict"]
                env: [{name: PYTHONPATH, value: PATHS}]
      graph: {name: model, type: MODEL}
"""


def order(local: LocalSeldon, dag: str, **conf: Any) -> dict[str, Any]:
    """A run of a DAG, with a connection to one of the clusters."""
    connection = {"AIRFLOW_CONN_SELDON_DEFAULT": local.airflow_connection()}
    canary = {"CANARY_BAKE": "0.2", "CANARY_ERRORS": "0.002"}
    return {"dag": dag, "conf": conf, "env": {**connection, **canary}}


def approvals(local: LocalSeldon) -> list[dict[str, Any]]:
    """Runs of the DAG with an approval: first deploy, promoted, too late, rejected, broken meanwhile, killed."""
    asked = [
        {"answer": "Promote"},
        {"answer": TOO_LATE},
        {"answer": "Reject"},
        {"answer": "Promote", "errors": True, "state": "failed"},
    ]
    orders = [{}, *(asked if AIRFLOW_3_3 else [{}]), {"kill": "canary", "state": "failed"}]
    return [
        {**order(local, "canary_approval", version=number), **one} for number, one in enumerate(orders, 1)
    ]


@pytest.fixture(scope="module")
def processes() -> Iterator[LocalSeldon]:
    """Seldon Core that really runs what a container's command says."""
    with LocalSeldon(LocalOptions()) as local:
        yield local


@pytest.fixture(scope="module")
def simulated() -> Iterator[LocalSeldon]:
    """Seldon Core whose pods run nothing, for the examples that need MLServer or an image."""
    with LocalSeldon(LocalOptions(kubelet="simulated", namespace="models", pod_startup=(0.02, 0.1))) as local:
        yield local


@pytest.fixture(scope="module")
def runs(
    simulated: LocalSeldon, processes: LocalSeldon, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[dict[str, Any]]]:
    """What came out of each run of each DAG."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "sure.py").write_text("def predict(model, rows):\n    return [[1.0, 0.0, 0.0] for _ in rows]\n")
    store = (folder / "store").as_uri()
    with connected(processes) as hook:
        manifest = FOREIGN.replace("PATHS", f"{PACKAGE}{os.pathsep}{folder}")
        hook.client.apply(SeldonDeployment.from_manifest(manifest))
    with connected(simulated) as hook:
        leave_behind(hook)
    orders = [
        order(simulated, "continuous_deployment", store=store),
        order(simulated, "continuous_deployment", store=store, max_depth=1),
        order(simulated, "champion_challenger", store=store),
        order(simulated, "champion_challenger", store=store),
        order(simulated, "preview_deployment"),
        order(simulated, "canary", version=1),
        order(simulated, "canary", version=2),
        *approvals(simulated),
        order(simulated, "traffic_split", challenger_traffic=25),
        order(simulated, "inference_graph"),
        order(processes, "wait_and_smoke_test"),
        order(processes, "custom_model", store=store),
        order(simulated, "seldon_reaper", dry_run=False),
    ]
    found: dict[str, list[dict[str, Any]]] = {}
    for one, answer in zip(orders, run(orders, home=folder / "airflow"), strict=True):
        found.setdefault(one["dag"], []).append(answer)
    return found


def run(orders: list[dict[str, Any]], *, home: Path) -> list[dict[str, Any]]:
    """Run DAGs in their own process, which has its own Airflow home."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLES),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "ignore",
    }
    answers: list[dict[str, Any]] = ask_python(
        "-m", "tests.integration.example_runs", env=environment, given=json.dumps(orders), timeout=580
    )
    told = [(one["dag"], answer["tasks"]) for one, answer in zip(orders, answers, strict=True)]
    expected = [one.get("state", "success") for one in orders]
    assert [answer["state"] for answer in answers] == expected, told
    return answers


def leave_behind(hook: SeldonHook) -> None:
    """Deploy a preview of a DAG that is not there, and let its time be over."""
    server = {"model_name": "left", "model_uri": "s3://models/left", "implementation": "SKLEARN_SERVER"}
    identity = Identity(dag_id="deleted_dag", task_id="deploy", model_name="left")
    hook.deploy_model(ModelServer.create(**server), identity=identity, ttl=1)


@contextmanager
def connected(local: LocalSeldon) -> Iterator[SeldonHook]:
    """A hook on one of the clusters."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", local.airflow_connection())
        yield SeldonHook()


Runs = Mapping[str, list[dict[str, Any]]]


def test_a_model_that_is_good_enough_is_deployed_and_predicts_and_a_worse_one_does_not(runs: Runs) -> None:
    first, worse = (one["xcoms"] for one in runs["continuous_deployment"])
    assert (first["deploy"]["action"], first["deploy"]["model_uri"]) == (
        "created",
        first["train"]["model_uri"],
    )
    assert len(first["predict"]["data"]["ndarray"]) == 1
    assert worse["train"]["accuracy"] < 0.9
    assert (worse["deploy"]["action"], worse["deploy"]["model_uri"]) == (
        "reused",
        first["train"]["model_uri"],
    )


def test_the_best_challenger_becomes_champion_and_its_equal_does_not_replace_it(runs: Runs) -> None:
    first, second = (one["xcoms"] for one in runs["champion_challenger"])
    assert first["deploy"]["action"] == "created"
    assert first["deploy"]["model_uri"] == first["best"]["model_uri"]
    assert first["best"]["model_uri"].endswith("depth-3")
    assert second["deploy"]["decision"].startswith("do not deploy: BeatsServing: accuracy 0.96 against 0.96")
    assert (second["deploy"]["action"], second["deploy"]["name"]) == ("reused", first["deploy"]["name"])


def test_a_preview_is_taken_down_after_it_was_tried_out(runs: Runs, simulated: LocalSeldon) -> None:
    (preview,) = (one["xcoms"] for one in runs["preview_deployment"])
    assert preview["preview"]["action"] == "created"
    assert preview["accuracy"] == pytest.approx(1 / 3)  # simulated pods take every flower for the second kind
    assert preview["take_down"] == [preview["preview"]["name"]]
    with connected(simulated) as hook:
        assert preview["preview"]["name"] not in [one.name for one in hook.client.find()]


def test_a_canary_goes_through_its_steps_and_its_teardown_finds_nothing_left(runs: Runs) -> None:
    first, second = (one["xcoms"] for one in runs["canary"])
    assert first["canary"]["action"] == "created"
    assert (second["canary"]["action"], second["canary"]["model_uri"]) == ("updated", "s3://models/iris/2")
    assert [one["step"] for one in second["canary"]["canary"]["steps"]] == ["5 %", "25 %", "50 %"]
    assert second["abort"]["aborted"] == []


@pytest.mark.skipif(
    not AIRFLOW_3_3, reason="humans are asked from Airflow 3.1 on, and the test answers as 3.3 does"
)
def test_a_canary_that_waits_for_an_approval_ends_promoted_or_aborted_whatever_comes(runs: Runs) -> None:
    first, promoted, too_late, rejected, broken, _ = runs["canary_approval"]
    assert first["xcoms"]["canary"]["action"] == "created"
    assert first["tasks"]["approve"] == "skipped", "nothing is tried out, so nothing is to be approved"
    assert (promoted["tasks"]["promote"], promoted["tasks"]["reject"]) == ("success", "skipped")
    assert promoted["xcoms"]["promote"]["action"] == "updated"
    assert promoted["xcoms"]["watch"] == "over"
    name = promoted["xcoms"]["canary"]["name"]
    for turned_down in (too_late, rejected):
        tasks, xcoms = turned_down["tasks"], turned_down["xcoms"]
        assert (tasks["promote"], tasks["reject"]) == ("skipped", "success")
        assert xcoms["reject"] == {"aborted": [name]}
        assert xcoms["watch"] == "over"
    assert broken["tasks"]["watch"] == "failed", "a limit was broken while the approval was waited for"
    assert broken["xcoms"]["promote"]["action"] == "unchanged", "what is aborted is not promoted any more"
    ends = (first, promoted, too_late, rejected, broken)
    assert [one["xcoms"]["abort"]["aborted"] for one in ends] == [[]] * 5


def test_a_teardown_aborts_the_canary_that_a_killed_task_has_left(runs: Runs, simulated: LocalSeldon) -> None:
    first, promoted, *_, killed = runs["canary_approval"]
    assert killed["tasks"]["canary"] == "failed"
    assert promoted["xcoms"]["canary"]["name"] == first["xcoms"]["canary"]["name"]
    assert killed["xcoms"]["abort"]["aborted"] == [first["xcoms"]["canary"]["name"]]
    with connected(simulated) as hook:
        stored = hook.client.get(first["xcoms"]["canary"]["name"])
    assert [one.graph.model_uri for one in stored.predictors if one.graph] == ["s3://models/iris/2"]


def test_the_challenger_gets_its_part_of_the_traffic(runs: Runs, simulated: LocalSeldon) -> None:
    (applied,) = (one["xcoms"]["apply"] for one in runs["traffic_split"])
    with connected(simulated) as hook:
        predictors = hook.client.get(applied["name"]).to_manifest()["spec"]["predictors"]
    assert {one["name"]: one["traffic"] for one in predictors} == {"champion": 75, "challenger": 25}


def test_a_request_goes_through_both_nodes_of_the_graph(runs: Runs) -> None:
    (graph,) = (one["xcoms"] for one in runs["inference_graph"])
    assert (graph["apply"]["action"], graph["apply"]["state"]) == ("created", "Available")
    assert list(graph["predict"]["meta"]["requestPath"]) == ["features", "classifier"]


def test_another_owners_deployment_is_waited_for_and_predicts(runs: Runs) -> None:
    (waited,) = (one["xcoms"] for one in runs["wait_and_smoke_test"])
    assert (waited["serves"]["name"], waited["serves"]["state"]) == ("iris", "Available")
    assert waited["smoke_test"]["data"]["ndarray"] == [[1.0, 0.0, 0.0]]


def test_a_function_of_ones_own_answers_from_staged_files(runs: Runs) -> None:
    (custom,) = (one["xcoms"] for one in runs["custom_model"])
    assert custom["stage"]["action"] == "copied"
    assert custom["deploy"]["model_uri"] == custom["stage"]["model_uri"]
    assert custom["predict"]["data"]["ndarray"] == [[3.0], [5.0]]


def test_the_reaper_marks_what_has_expired_and_reports_that_its_dag_does_not_exist(runs: Runs) -> None:
    (reaper,) = (one["xcoms"]["reap"] for one in runs["seldon_reaper"])
    assert (reaper["dry_run"], reaper["errors"], reaper["deleted"]) == (False, [], [])
    assert [one["model_name"] for one in reaper["marked"]] == ["left"]
    assert "left" in {one["model_name"] for one in reaper["orphans"]}
    assert {"deleted_dag"} <= {one["dag_id"] for one in reaper["orphans"]}


def test_every_example_is_run_here_or_by_the_test_of_what_it_shows(runs: Runs) -> None:
    elsewhere = {
        path.stem for path in EXAMPLES.glob("*.py") if path.stem not in runs and runs_elsewhere(path.stem)
    }
    assert {path.stem for path in EXAMPLES.glob("*.py")} == runs.keys() | elsewhere


def runs_elsewhere(dag: str) -> bool:
    """Whether another test names the example's file or DAG."""
    own = {Path(__file__).name}
    return any(
        f'"{dag}' in path.read_text() for path in (ROOT / "tests").rglob("*.py") if path.name not in own
    )


#: Lines of an example that shows how several tasks are put together.
LONGER = {"canary_approval": 100}


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_is_short_and_says_first_what_it_shows(example: Path) -> None:
    text = example.read_text()
    assert len(text.splitlines()) <= LONGER.get(example.stem, 40)
    assert max(map(len, text.splitlines())) <= 120
    assert ast.get_docstring(ast.parse(text))
    assert f'"{example.stem}"' in text or f"def {example.stem}(" in text, "the DAG is called as its file"
