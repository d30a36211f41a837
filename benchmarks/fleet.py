"""
The cost of the fleet page with 1,000 deployments, and of its plugin at the start of Airflow's processes.

``python benchmarks/fleet.py`` prints each number with its limit, and ends with 1 if one exceeds it. The API
server is the local one; deployments and their Deployments are made by hand, completely rolled out, because
what is measured is the page, and not the operator.
"""

from __future__ import annotations

import copy
import logging
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from airflow.api_fastapi.core_api.security import get_user
from fastapi.testclient import TestClient

ROOT = Path(__file__).resolve().parent.parent
# What the unit tests make deployments of.
sys.path.insert(0, str(ROOT))

from airflow_provider_seldon.core.fleet.reaper_view import ReaperRun  # noqa: E402
from airflow_provider_seldon.core.identity.annotations import LABEL_MANAGED_BY, MANAGER, PREFIX  # noqa: E402
from airflow_provider_seldon.core.reaping.origin import Origin  # noqa: E402
from airflow_provider_seldon.core.rollout.history import ProvenVersion  # noqa: E402
from airflow_provider_seldon.delivery.inventory.survey import Survey  # noqa: E402
from airflow_provider_seldon.fleet import app as web  # noqa: E402
from airflow_provider_seldon.fleet.fleet import Fleet  # noqa: E402
from airflow_provider_seldon.fleet.runs import RunView  # noqa: E402
from airflow_provider_seldon.fleet.sources import ClusterSource  # noqa: E402
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag  # noqa: E402
from tests.unit.core.cluster_objects import complete_children, sdep  # noqa: E402

DEPLOYMENTS = 1000
REPEATS = 7
IMPORTS = 3
#: Milliseconds to import the plugin, and to answer with the list; bytes of all as JSON.
MOST_IMPORT, MOST_HTML, MOST_JSON = 20.0, 300.0, 1_000_000
IMPORT = """
import sys, time
import airflow.configuration, {base}
begun = time.perf_counter()
import airflow_provider_seldon.fleet.plugin as plugin
took = time.perf_counter() - begun
assert plugin.SeldonFleetPlugin is not None
print(took * 1000)
"""
#: What loads plugins in the servers, and in a worker.
BASES = ("airflow.plugins_manager", "airflow.sdk.plugins_manager")


class Cluster:
    """A client that has the objects already: a thousand deployments and their children."""

    namespace = "models"

    def __init__(self) -> None:
        made = [deployment(number) for number in range(DEPLOYMENTS)]
        self._deployments = [one for one, _ in made]
        self._children = [child for _, own in made for child in own]
        self.pods = self

    def objects(self) -> list[dict[str, Any]]:
        """Return the deployments."""
        return self._deployments

    def children(self) -> list[dict[str, Any]]:
        """Return their Deployments."""
        return self._children


class Owners:
    """An Airflow in which all DAGs are there."""

    def dags(self, dag_ids: Collection[str]) -> Mapping[str, KnownDag]:
        """See ``fleet.owners``."""
        return dict.fromkeys(dag_ids, KnownDag(Origin.PRESENT, tasks=frozenset({"deploy"})))

    def failures(self, tasks: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[RunView]]:
        """See ``fleet.owners``: one task in ten has failed."""
        cause = (
            "SeldonDeployment models/recommendations does not become ready: container classifier: exit code 3"
        )
        return {
            (dag_id, task_id): [
                RunView(dag_id=dag_id, task_id=task_id, run_id="r", ended="2026-01-05", cause=cause)
            ]
            for dag_id, task_id in tasks
            if dag_id.endswith("7")
        }

    def reaper_runs(self) -> Sequence[ReaperRun]:
        """See ``fleet.owners``."""
        return ()


def deployment(number: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return one deployment as a DAG has made it, and its children."""
    name, revision = f"recommendations-{number:04}", f"{number:010x}"
    annotations = {
        "dag-id": f"train_and_deploy_{number % 200}",
        "task-id": "deploy",
        "model-name": f"recommendations {number}",
        "run-id": "scheduled__2026-01-05T00:00:00+00:00",
        "revision": revision,
        "action": "updated",
        "metrics": '{"at": "2026-01-05T00:00:00+00:00", "values": {"accuracy": 0.93, "auc": 0.97}}',
        "last-available": ProvenVersion(revision=revision, proven_at="2026-01-05T00:03:00+00:00").to_json(),
    }
    made = sdep(
        name=name,
        labels={LABEL_MANAGED_BY: MANAGER},
        annotations={f"{PREFIX}{key}": value for key, value in annotations.items()},
    )
    made["spec"]["predictors"][0]["graph"]["modelUri"] = f"s3://models/recommendations/{number}/2026-01-05"
    made["metadata"] |= {"uid": f"uid-{number}", "namespace": "models", "resourceVersion": str(number)}
    children = complete_children(made)
    for child in children:
        child["metadata"]["labels"] = {"seldon-deployment-id": name}
        child["metadata"]["ownerReferences"][0] |= {"uid": f"uid-{number}", "name": name}
    return copy.deepcopy(made), children


def import_times(base: str) -> list[float]:
    """Return the milliseconds that importing the plugin took, each in its own process."""
    environment = {**os.environ, "AIRFLOW__SELDON__FLEET_CONNECTIONS": "seldon_default"}
    command = [sys.executable, "-c", IMPORT.format(base=base)]
    runs = (
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        for _ in range(IMPORTS)
    )
    return [float(run.stdout.split()[-1]) for run in runs]


def page_times() -> tuple[float, list[float], int, int]:
    """Return the seconds of the first look, milliseconds of each page after it, bytes of JSON, and looks."""
    source, looks = ClusterSource("seldon_default"), []
    survey: Any = Survey(Cluster(), connection="seldon_default")  # type: ignore[arg-type]
    look = survey.look
    survey.look = lambda: looks.append(1) or look()
    source._survey = survey
    owners: Any = Owners()
    app = web.application(Fleet({("seldon_default", ""): source}, owners))
    everything = {f"train_and_deploy_{number}" for number in range(200)}
    app.dependency_overrides |= {get_user: lambda: None, web.readable_by: lambda: lambda: everything}
    # The authorization is Airflow's own cost.
    app.router.dependencies.clear()
    for route in app.routes:
        route.dependant.dependencies = route.dependant.dependencies[-1:]  # type: ignore[attr-defined]
    with TestClient(app) as client:
        begun = time.perf_counter()
        assert f"{DEPLOYMENTS} deployments" in client.get("/").text
        first = time.perf_counter() - begun
        size = len(client.get("/api/v1/deployments").content)
        threads = [threading.Thread(target=lambda: client.get("/")) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        times = []
        for address in ("/", "/?q=recommendations+99&sort=-proven", "/?page=10&size=100") * REPEATS:
            begun = time.perf_counter()
            answer = client.get(address)
            times.append((time.perf_counter() - begun) * 1000)
            assert answer.status_code == 200
    return first, times, size, len(looks)


def main() -> int:
    """Measure; 1 where a limit is broken."""
    good = True
    logging.disable(logging.INFO)

    def tell(what: str, value: float, most: float, unit: str) -> None:
        nonlocal good
        good &= value <= most
        print(f"{what:<58}{value:>12,.1f} {unit:<6} limit {most:,.0f} {'' if value <= most else 'OVER'}")

    for base in BASES:
        tell(f"import of the plugin after {base}", statistics.median(import_times(base)), MOST_IMPORT, "ms")
    first, times, size, looks = page_times()
    print(f"{f'the first look at {DEPLOYMENTS:,} deployments, and its page':<58}{first * 1000:>12,.1f} ms")
    print(f"{f'the slowest of {len(times)} pages':<58}{max(times):>12,.1f} ms")
    tell(f"HTML of {DEPLOYMENTS:,} deployments, median", statistics.median(times), MOST_HTML, "ms")
    tell(f"JSON of {DEPLOYMENTS:,} deployments", size, MOST_JSON, "bytes")
    tell("looks for all of that, 20 people at once included", looks, 2, "")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
