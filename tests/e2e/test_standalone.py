"""
Scheduler, triggerer and server of a real Airflow, driven over REST, against an operator that tells every lie.

What ``dag.test()`` cannot show: the trigger in a triggerer of its own, a user who ends or clears a task, a triggerer
that dies. All runs share one Airflow and go on at the same time; each DAG has a deployment of its own.
"""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_seldon.core.identity import ANNOTATION_REVISION

from .conftest import NAMESPACE, Platform
from .rest import AIRFLOW_3_3, PATIENCE, TaskInstance, eventually

pytestmark = pytest.mark.timeout(900)

DEPLOYMENTS = f"/apis/machinelearning.seldon.io/v1/namespaces/{NAMESPACE}/seldondeployments"
NEVER_READY = {"behaviour": "never-ready"}
#: Seconds after which the gateway knows of a new route at the latest. It hears of it a little after everybody else, and
#: nothing in the cluster says when (SeldonIO/seldon-core #3474). A new version under the same route needs no allowance.
GATEWAY_LAG = 2.0


def uri(dag_id: str, day: int) -> str:
    return f"s3://models/{dag_id}/{day}"


@dataclass(frozen=True)
class Prediction:
    """One prediction: when it was asked for, and who answered."""

    asked: float
    uri: str = ""
    revision: str = ""
    error: str = ""


class Probe:
    """Asks a deployment for predictions all the time."""

    def __init__(self, url: str) -> None:
        self.predictions: list[Prediction] = []
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10)

    def since(self, moment: float, *, until: float = float("inf")) -> list[Prediction]:
        """Return the predictions asked for from then on, at least five."""

        def look() -> list[Prediction] | None:
            found = [one for one in list(self.predictions) if moment < one.asked < until]
            return found if len(found) >= 5 else None

        return eventually("predictions", look, timeout=20)  # type: ignore[no-any-return]

    def _ask_on(self) -> None:
        while not self._over.wait(0.05):
            self.predictions.append(ask(self._url))


def ask(url: str) -> Prediction:
    """Ask for one prediction."""
    asked = time.time()
    body = json.dumps({"data": {"ndarray": [[1.0, 2.0]]}}).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            tags = json.load(response)["meta"]["tags"]
        return Prediction(asked, tags["modelUri"], tags["revision"])
    except OSError as error:
        return Prediction(asked, error=str(error))


class Stage:
    """Airflow and Seldon Core, and the runs that are under way."""

    def __init__(self, platform: Platform) -> None:
        self.airflow = platform.airflow
        self.local = platform.local
        self.first: dict[str, TaskInstance] = {}
        self.second: dict[str, TaskInstance] = {}
        self.probe = Probe(self.url("update"))
        self.inline = Probe(self.url("inline"))
        #: When a run of ``update`` was seen to have left the triggerer, so that its version was said to serve.
        self.released: dict[int, float] = {}
        self._worker = ThreadPoolExecutor(max_workers=1)
        self.dag_tests: Future[str]

    def url(self, name: str) -> str:
        return f"{self.local.gateway_url}/seldon/{NAMESPACE}/{name}/api/v1.0/predictions"

    def run(self, dag_id: str, *, day: int, **conf: str) -> TaskInstance:
        return self.airflow.rest.run(dag_id, day=day, uri=uri(dag_id, day), **conf)

    def begin_dag_tests(self) -> None:
        """Run two versions of ``inline`` with ``dag.test()``, beside everything else."""
        self.dag_tests = self._worker.submit(
            self.airflow.dag_test,
            "inline",
            *({"uri": uri("inline", day)} for day in (1, 2)),
            pause=GATEWAY_LAG + 4,  # in which predictions are seen that the first version answers
        )

    def stop(self) -> None:
        self._worker.shutdown()
        self.probe.stop()
        self.inline.stop()

    def deployment(self, name: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.local.api_url}{DEPLOYMENTS}/{name}", timeout=10) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def written_uri(self, name: str) -> str:
        """The model URI that the deployment asks for."""
        return str(self.deployment(name)["spec"]["predictors"][0]["graph"]["modelUri"])

    def applies(self, name: str) -> int:
        """How often the deployment's spec was written."""
        requests = self.local.requests
        return requests.count(
            lambda one: one.verb in {"create", "update", "apply", "delete"},
            resource="seldondeployments",
            name=name,
        )

    def applied(self, name: str) -> list[float]:
        """When each version was asked for, and for ever."""
        applies = self.local.requests.entries(resource="seldondeployments", name=name, verb="apply")
        return [one.started for one in applies] + [float("inf")]

    def proven(self, name: str) -> list[float]:
        """When each version was recorded as serving."""
        patches = self.local.requests.entries(resource="seldondeployments", name=name, verb="patch")
        return [one.started for one in patches]

    def revision(self, name: str) -> str:
        """The stamp of the present version, which its predictions carry."""
        (predictor,) = self.deployment(name)["spec"]["predictors"]
        return str(predictor["annotations"][ANNOTATION_REVISION])

    def watch_update(self, day: int, task: TaskInstance) -> None:
        """Note when the triggerer lets the task go on."""
        task.wait_for("deferred")
        eventually("the wait ends", lambda: task.read()["state"] != "deferred", every=0.1)
        self.released[day] = time.time()
        task.wait_for("success")


@pytest.fixture(scope="module")
def stage(platform: Platform) -> Iterator[Stage]:
    """First versions serve, second ones are on their way; ``crash`` is on its first."""
    stage = Stage(platform)
    try:
        for dag_id in ("update", "kept", "put-back", "fenced"):
            stage.first[dag_id] = stage.run(dag_id, day=1)
        stage.first["crash"] = stage.run("crash", day=1, behaviour="crash:3")
        stage.watch_update(1, stage.first["update"])
        for dag_id in ("update", "kept", "put-back", "fenced"):
            stage.first[dag_id].wait_for("success")
            broken = NEVER_READY if dag_id in ("kept", "put-back") else {}
            stage.second[dag_id] = stage.run(dag_id, day=2, **broken)
        stage.begin_dag_tests()
        yield stage
    finally:
        stage.stop()


@pytest.mark.parametrize("day", [1, 2])
def test_from_when_the_wait_has_ended_the_new_version_answers_all_predictions(stage: Stage, day: int) -> None:
    if day == 2:
        stage.watch_update(2, stage.second["update"])
    moment = stage.released[day] + (GATEWAY_LAG if day == 1 else 0.0)
    answers = stage.probe.since(moment, until=stage.applied("update")[day])
    assert {one.error or one.uri for one in answers} == {uri("update", day)}
    if day == 2:
        assert {one.revision for one in answers} == {stage.revision("update")}


def test_a_user_who_ends_a_deferred_task_changes_nothing_by_default(stage: Stage) -> None:
    end_by_user(stage, "kept")
    writes = stage.applies("kept")
    time.sleep(8)  # in which an undo would have begun: see the next test
    assert (stage.applies("kept"), stage.written_uri("kept")) == (writes, uri("kept", 2))
    assert ask(stage.url("kept")).uri == uri("kept", 1)


@pytest.mark.skipif(not AIRFLOW_3_3, reason="Airflow tells triggers of it from 3.3 on")
def test_a_user_who_ends_a_deferred_task_has_it_rolled_back_where_that_is_asked_for(stage: Stage) -> None:
    end_by_user(stage, "put-back")
    eventually("put back", lambda: stage.written_uri("put-back") == uri("put-back", 1), timeout=15)
    assert ask(stage.url("put-back")).uri == uri("put-back", 1)
    assert stage.second["put-back"].read()["state"] == "failed"


@pytest.mark.skipif(AIRFLOW_3_3, reason="see the test above")
def test_before_airflow_3_3_a_rollback_by_the_user_is_inert_while_the_task_is_deferred(stage: Stage) -> None:
    end_by_user(stage, "put-back")
    writes = stage.applies("put-back")
    time.sleep(8)
    assert (stage.applies("put-back"), stage.written_uri("put-back")) == (writes, uri("put-back", 2))
    assert ask(stage.url("put-back")).uri == uri("put-back", 1)


def test_an_old_run_that_is_cleared_after_a_newer_one_deployed_is_skipped(stage: Stage) -> None:
    stage.second["fenced"].wait_for("success")
    writes = stage.applies("fenced")
    stage.first["fenced"].clear()
    eventually("the run begins again", lambda: stage.first["fenced"].read()["state"] != "success", timeout=20)
    stage.first["fenced"].wait_for("skipped")
    assert (stage.applies("fenced"), stage.written_uri("fenced")) == (writes, uri("fenced", 2))
    assert ask(stage.url("fenced")).uri == uri("fenced", 2)


def test_a_deferred_failure_is_told_with_its_cause_and_the_progress_before_it(stage: Stage) -> None:
    task = stage.first["crash"]
    task.wait_for("failed")
    log = eventually(
        "the end of the log", lambda: "RolloutFailedError" in task.log() and task.log(), timeout=20
    )
    assert "crash: state " in log, "progress of the trigger"
    assert "models/crash does not come to serve" in log
    assert "exit code 3" in log
    assert "simulated failure: exit code 3" in log, "the end of the container's own log"
    assert "Hint: the container ends as soon as it has started" in log


def test_in_dag_test_too_the_new_version_answers_from_when_it_is_said_to_serve(stage: Stage) -> None:
    output = stage.dag_tests.result(PATIENCE)
    assert "models/inline, created by this run" in output, output
    assert "models/inline, updated by this run" in output, output
    assert "inline: state " in output, "deferred, and waited for"
    assert len(stage.proven("inline")) == 2, output
    for day in (1, 2):
        moment = stage.proven("inline")[day - 1] + (GATEWAY_LAG if day == 1 else 0.0)
        answers = stage.inline.since(moment, until=stage.applied("inline")[day])
        assert {one.error or one.uri for one in answers} == {uri("inline", day)}
    assert {one.revision for one in answers} == {stage.revision("inline")}


def test_no_prediction_fails_once_the_first_version_serves(stage: Stage) -> None:
    for probe in (stage.probe, stage.inline):
        predictions = probe.since(0.0)
        served = next(index for index, one in enumerate(predictions) if not one.error)
        assert [one for one in predictions[served:] if one.error] == []


def test_a_triggerer_that_is_killed_leaves_its_wait_to_the_next(stage: Stage) -> None:
    # The operator does nothing meanwhile, so that the wait cannot end by itself.
    stage.local.pause_operator()
    try:
        task = stage.run("resumed", day=1)
        before = in_triggerer(task)
        stage.airflow.kill_triggerer()
        stage.airflow.start_triggerer()
        after = eventually(
            "another triggerer goes on", lambda: (one := in_triggerer(task)) and one[1] != before[1] and one
        )
    finally:
        stage.local.resume_operator()
    assert after[0] == before[0], "the same trigger, so with the same deadline"
    task.wait_for("success")
    assert ask(stage.url("resumed")).uri == uri("resumed", 1)
    assert stage.applies("resumed") == 1
    assert stage.deployment("resumed")["metadata"]["generation"] == 1


def in_triggerer(task: TaskInstance) -> tuple[int, int]:
    """Return the ids of trigger and triggerer when the one runs in the other."""

    def look() -> tuple[int, int] | None:
        found = task.read()
        job = found.get("triggerer_job")
        return (found["trigger"]["id"], job["id"]) if job else None

    return eventually("the trigger is given to a triggerer", look)  # type: ignore[no-any-return]


def end_by_user(stage: Stage, dag_id: str) -> None:
    """Mark a task as failed while its trigger runs."""
    task = stage.second[dag_id]
    task.wait_for("deferred")
    in_triggerer(task)
    eventually("the trigger has looked at the deployment", lambda: f"{dag_id}: state " in task.log())
    task.mark_failed()
    assert task.read()["state"] == "failed"
