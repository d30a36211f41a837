"""One Airflow and one Seldon Core for all end-to-end tests; the DAG files are those in ``dags``."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.operator_faults import OperatorFaults
from airflow_provider_seldon.local.options import LocalOptions
from tests.airflow_version import AIRFLOW_3
from tests.api_servers import kube_config
from tests.e2e.standalone import Airflow

DAGS = Path(__file__).parent / "dags"
EXAMPLES = Path(__file__).parents[2] / "example_dags"
#: Airflow 2 has no asset watchers.
ONLY_ON_3 = [EXAMPLES / "failure_watcher.py"] if AIRFLOW_3 else []
NAMESPACE = "models"
DEPLOYMENTS = f"/apis/machinelearning.seldon.io/v1/namespaces/{NAMESPACE}/seldondeployments"
DASHBOARD = "https://grafana.example.com/d/seldon?var-namespace={namespace}&var-deployment={name}"

#: A cluster that does not answer.
AWAY = kube_config("http://127.0.0.1:1")


@dataclass(frozen=True, kw_only=True)
class Platform:
    """
    Airflow, and the Seldon Core that its connection ``seldon_default`` leads to.

    Both are shared: a test uses DAGs and deployments of its own, and leaves every part running and no fault behind.
    """

    airflow: Airflow
    local: LocalSeldon

    @contextmanager
    def operator_paused(self) -> Iterator[None]:
        """Hold what waits for a rollout: nothing is rolled out meanwhile."""
        self.local.pause_operator()
        try:
            yield
        finally:
            self.local.resume_operator()

    def url(self, name: str) -> str:
        """Where a deployment takes predictions."""
        return f"{self.local.gateway_url}/seldon/{NAMESPACE}/{name}/api/v1.0/predictions"

    def names(self) -> list[str]:
        """The names of all deployments."""
        return [one["metadata"]["name"] for one in self._read(DEPLOYMENTS)["items"]]

    def deployment(self, name: str) -> dict[str, Any]:
        """A deployment, as the API server has it."""
        return self._read(f"{DEPLOYMENTS}/{name}")

    def written_uri(self, name: str) -> str:
        """The model URI that the deployment requests."""
        return str(self.deployment(name)["spec"]["predictors"][0]["graph"]["modelUri"])

    def applies(self, name: str) -> int:
        """How often the deployment's spec was written."""
        requests = self.local.requests
        return requests.count(
            lambda one: one.verb in {"create", "update", "apply", "delete"},
            resource="seldondeployments",
            name=name,
        )

    def _read(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.local.api_url}{path}", timeout=30) as response:
            found: dict[str, Any] = json.load(response)
        return found


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Start a real Airflow, and Seldon Core with simulated pods and an operator that tells every lie."""
    failed_before = request.session.testsfailed
    options = LocalOptions(
        token=None,
        kubelet="simulated",
        namespace=NAMESPACE,
        operator_faults=OperatorFaults.all(seed=7),
        pod_startup=(0.1, 1),
    )
    with LocalSeldon(options) as local:
        airflow = Airflow(
            tmp_path_factory.mktemp("airflow"),
            dags=[*sorted(DAGS.glob("*.py")), EXAMPLES / "asset_triggered.py", *ONLY_ON_3],
            connection=local.airflow_connection(),
            # `demo.py` imports an example.
            settings={
                "AIRFLOW__SELDON__DASHBOARD_URL": DASHBOARD,
                "AIRFLOW__SELDON__FLEET_CONNECTIONS": "seldon_default, away",
                "AIRFLOW_CONN_AWAY": json.dumps({"conn_type": "seldon", "extra": {"kube_config": AWAY}}),
                # What is installed may be another checkout; with the folder of this one, its plugin is found as well.
                "PYTHONPATH": os.pathsep.join([str(EXAMPLES), str(EXAMPLES.parent)]),
            },
        )
        try:
            airflow.start()
            yield Platform(airflow=airflow, local=local)
        except BaseException:
            print(airflow.output())
            raise
        else:
            if request.session.testsfailed > failed_before:
                print(airflow.output())
        finally:
            airflow.stop()
