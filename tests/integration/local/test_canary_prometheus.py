"""A canary that is judged by what a real Prometheus has scraped from the pods' own metrics, with Istio's routes."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.analysis import Analysis, ErrorRatio, Latency
from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY
from airflow_provider_seldon.exceptions import CanaryAbortedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon, Misbehaviour
from airflow_provider_seldon.operators.canary import SeldonCanaryOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.clusters import patience
from tests.integration.conftest import context
from tests.integration.test_canary import attempt
from tests.prometheus import INTERVAL, needs_prometheus, prometheus

SERVED = {"model_name": "iris", "implementation": "SKLEARN_SERVER", "model_uri": "s3://models/iris/1"}
LIMITS = Analysis(
    metrics=[ErrorRatio(at_most=0.1, at_most_ratio=2, at_most_delta=0.02), Latency(at_most_ratio=5)],
    min_requests=30,
)

pytestmark = needs_prometheus


class Traffic:
    """Asks a deployment all the time, and counts what its own clients see."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self.answered = 0

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=10)

    def _ask(self) -> None:
        body = json.dumps({"data": {"ndarray": [[1, 2]]}}).encode()
        while not self._over.wait(0.01):
            request = urllib.request.Request(
                self._url, data=body, headers={"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    self.answered += answer.status == 200
            except urllib.error.HTTPError:
                pass


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[LocalSeldon]:
    options = LocalOptions(kubelet="simulated", pod_startup=(0.02, 0.1), istio=True, seed=7)
    with (
        LocalSeldon(options) as found,
        prometheus(tmp_path, [found.scrape_config(interval=INTERVAL)]) as server,
    ):
        monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", found.airflow_connection())
        host, _, port = server.url.removeprefix("http://").partition(":")
        connection = {"conn_type": "http", "host": host, "port": int(port), "schema": "http"}
        monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(connection))
        yield found


def deploy() -> str:
    task = SeldonDeployModelOperator(task_id="deploy", timeout=patience(30), deferrable=False, **SERVED)
    name: str = task.execute(context(run_id="before"))["name"]
    return name


def canary(*, deferrable: bool) -> Any:
    task = SeldonCanaryOperator(
        task_id="deploy",
        **{**SERVED, "model_uri": "s3://models/iris/2"},
        steps=[50],
        bake=4,
        look_interval=0.5,
        analysis=LIMITS,
        prometheus_conn_id="prometheus_default",
        timeout=patience(60),
        deferrable=deferrable,
    )
    return attempt(task, context(run_id="canary"))


def serving(local: LocalSeldon, name: str) -> list[str]:
    spec = SeldonHook().client.get(name).to_manifest()["spec"]
    return [one["graph"]["modelUri"][-1] for one in spec["predictors"]]


def test_a_candidate_with_errors_is_aborted_with_the_numbers_of_prometheus(local: LocalSeldon) -> None:
    name = deploy()
    local.misbehaviours.order(Misbehaviour(error_rate=0.5), deployment=name, predictor="canary")
    with (
        Traffic(f"{local.gateway_url}/seldon/default/{name}/api/v1.0/predictions") as traffic,
        pytest.raises(CanaryAbortedError, match=r"ErrorRatio.*more than 0\.1"),
    ):
        canary(deferrable=False)
    assert traffic.answered > 0
    assert serving(local, name) == ["1"]
    assert ANNOTATION_CANARY not in SeldonHook().client.get(name).annotations


def test_a_candidate_without_errors_goes_through_by_the_numbers_of_prometheus(local: LocalSeldon) -> None:
    name = deploy()
    with Traffic(f"{local.gateway_url}/seldon/default/{name}/api/v1.0/predictions") as traffic:
        result = canary(deferrable=True)
    assert traffic.answered > 60
    assert result["state"] == "Available"
    assert serving(local, name) == ["2"]
