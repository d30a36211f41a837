"""Links of tasks without an Airflow around them: what a link is made of, and when there is none."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.models.taskinstancekey import TaskInstanceKey

from airflow_provider_seldon.core.prediction.endpoint import prediction_url
from airflow_provider_seldon.core.rollout.model_server_info import ModelServerInfo
from airflow_provider_seldon.links.deployment import LINKS
from airflow_provider_seldon.operators.apply import SeldonApplyOperator
from airflow_provider_seldon.operators.canary import SeldonCanaryOperator
from airflow_provider_seldon.operators.custom import SeldonDeployCustomModelOperator
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor

KEY = TaskInstanceKey("my_dag", "deploy", "manual__2026-01-05T00:00:00+00:00", 1, -1)
DASHBOARD = "AIRFLOW__SELDON__DASHBOARD_URL"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may connect to anything."""
    connected: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: connected.append(address))
    yield
    assert connected == []


def links(info: ModelServerInfo | None, **arguments: Any) -> dict[str, str]:
    """The links of a task that has announced something, or nothing."""
    operator = SeldonPredictOperator(task_id="predict", data=[1], **{"name": "{{ name }}", **arguments})
    operator.announced = info
    found = {link.name: link.get_link(operator, ti_key=KEY) for link in LINKS}
    return {name: url for name, url in found.items() if url}


def served(base: str = "https://models.example.com", **more: Any) -> ModelServerInfo:
    url = prediction_url(base, "models", "iris", **more) if base else ""
    return ModelServerInfo(name="iris", namespace="models", prediction_url=url, revision="0a1b2c3d4e")


@pytest.mark.parametrize(
    "operator",
    [
        SeldonDeployModelOperator,
        SeldonDeployCustomModelOperator,
        SeldonApplyOperator,
        SeldonRollbackOperator,
        SeldonScaleModelOperator,
        SeldonPredictOperator,
        SeldonDeploymentSensor,
    ],
)
def test_every_task_on_one_deployment_has_the_links(operator: Any) -> None:
    assert tuple(operator.operator_extra_links) == LINKS
    assert [link.name for link in LINKS] == ["Prediction endpoint", "Seldon API", "Dashboard"]


@pytest.mark.parametrize(
    ("protocol", "path"),
    [("seldon", "/api/v1.0/doc/"), ("v2", "/v2/docs/"), ("kfserving", "/v2/docs/"), ("tensorflow", None)],
)
def test_the_api_page_is_the_protocols_own(protocol: str, path: str | None) -> None:
    base = "https://models.example.com/below/v2/models"
    found = links(served(base, protocol=protocol, node_name="infer"))
    assert found.get("Seldon API") == (path and f"{base}/seldon/models/iris{path}")
    assert found["Prediction endpoint"] == prediction_url(
        base, "models", "iris", protocol=protocol, node_name="infer"
    )


def test_without_an_ingress_there_is_only_the_dashboard(monkeypatch: pytest.MonkeyPatch) -> None:
    assert links(served("")) == {}
    monkeypatch.setenv(DASHBOARD, "http://grafana/d/1")
    assert links(served("")) == {"Dashboard": "http://grafana/d/1"}


def test_the_dashboards_fields_are_filled_in_and_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    fields = ("namespace", "name", "model_name", "revision", "dag_id", "task_id", "run_id")
    template = "https://grafana.example.com/d?" + "&".join(f"{field}={{{field}}}" for field in fields)
    monkeypatch.setenv(DASHBOARD, template + "&from=now-1h&x={{y}}")
    assert links(served(""))["Dashboard"] == (
        "https://grafana.example.com/d?namespace=models&name=iris&model_name=&revision=0a1b2c3d4e&dag_id=my_dag"
        "&task_id=deploy&run_id=manual__2026-01-05T00%3A00%3A00%2B00%3A00&from=now-1h&x={y}"
    )


def test_no_link_shows_credentials() -> None:
    found = links(served("https://alice:wonder@models.example.com:8443/x"))
    assert found["Prediction endpoint"].startswith("https://models.example.com:8443/x/seldon/models/iris/")
    assert not [url for url in found.values() if "wonder" in url or "alice" in url]


@pytest.mark.parametrize(
    "template",
    [
        "https://grafana.example.com/{nonsense}",
        "https://grafana.example.com/{name.__class__}",
        "https://grafana.example.com/{name",
        "https://grafana.example.com/{}",
        "https://bob:secret@grafana.example.com/",
        "javascript:alert('{name}')",
        "grafana.example.com/{name}",
        "https://[",
    ],
)
def test_a_template_that_is_none_makes_no_link_and_no_error(
    monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    monkeypatch.setenv(DASHBOARD, template)
    assert "Dashboard" not in links(served())


GRAPH = {"metric": "ErrorRatio", "query": 'rate(x{a="b"}[60s])', "end": 1767607200.0, "seconds": 600.0}
PROMETHEUS = "AIRFLOW__SELDON__PROMETHEUS_LINK"


def canary_links(*steps: dict[str, Any]) -> dict[str, str]:
    operator = SeldonCanaryOperator(task_id="canary", model_name="iris", model_uri="s3://m/1", steps=[5])
    operator.announced = served("")
    operator.judged_steps = steps
    found = {link.name: link.get_link(operator, ti_key=KEY) for link in operator.operator_extra_links}
    return {name: url for name, url in found.items() if url}


def test_a_canary_links_to_the_graph_of_the_query_that_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = {"step": "5 %", "graph": {**GRAPH, "query": "first"}}, {"step": "25 %", "graph": GRAPH}
    assert canary_links(*steps) == {}, "no template, no link"
    fields = ("query", "range", "end", "from_ms", "to_ms", "namespace", "run_id")
    monkeypatch.setenv(PROMETHEUS, "https://p.example.com/graph?" + "&".join(f"{f}={{{f}}}" for f in fields))
    assert canary_links(*steps)["Canary metric"] == (
        "https://p.example.com/graph?query=rate%28x%7Ba%3D%22b%22%7D%5B60s%5D%29&range=600s&end=2026-01-05%2010%3A00%3A00"
        "&from_ms=1767606600000&to_ms=1767607200000&namespace=models&run_id=manual__2026-01-05T00%3A00%3A00%2B00%3A00"
    )
    assert canary_links({"step": "5 %"}) == {}, "a function of yours has no graph"


def test_before_anything_is_announced_there_is_no_link_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is not even a database here."""
    monkeypatch.setenv(DASHBOARD, "https://grafana.example.com/{namespace}/{name}")
    assert links(None) == {}
