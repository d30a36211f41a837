"""One Airflow and one Seldon Core for all end-to-end tests; the DAG files are those in ``dags``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.lies import Lies
from airflow_provider_seldon.local.options import LocalOptions

from .rest import AIRFLOW_3
from .standalone import Airflow

DAGS = Path(__file__).parent / "dags"
EXAMPLES = Path(__file__).parents[2] / "example_dags"
#: Airflow 2 has no asset watchers.
ONLY_ON_3 = [EXAMPLES / "failure_watcher.py"] if AIRFLOW_3 else []
NAMESPACE = "models"
DASHBOARD = "https://grafana.example.com/d/seldon?var-namespace={namespace}&var-deployment={name}"


@dataclass(frozen=True, kw_only=True)
class Platform:
    """
    Airflow, and the Seldon Core that its connection ``seldon_default`` leads to.

    Both are shared: a test uses DAGs and deployments of its own, and leaves every part running and no fault behind.
    """

    airflow: Airflow
    local: LocalSeldon


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Start a real Airflow, and Seldon Core with simulated pods and an operator that tells every lie."""
    failed_before = request.session.testsfailed
    options = LocalOptions(
        kubelet="simulated", namespace=NAMESPACE, lies=Lies.all(seed=7), pod_startup=(0.1, 1)
    )
    with LocalSeldon(options) as local:
        airflow = Airflow(
            tmp_path_factory.mktemp("airflow"),
            dags=[*sorted(DAGS.glob("*.py")), EXAMPLES / "asset_triggered.py", *ONLY_ON_3],
            connection=local.airflow_connection(),
            settings={"AIRFLOW__SELDON__DASHBOARD_URL": DASHBOARD},
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
