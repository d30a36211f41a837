"""The Grafana dashboard and the alert rules of ``monitoring/``, run by a real Prometheus that scrapes Seldon Core."""

from __future__ import annotations

import dataclasses
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon, Misbehaviour
from tests.integration.local.cluster_client import Cluster
from tests.integration.local.kubelet.traffic.test_request_metrics import ask, deploy, predictor
from tests.prometheus import INTERVAL, Prometheus, needs_prometheus, prometheus, until

MONITORING = Path(__file__).parents[3] / "monitoring"
RULES = MONITORING / "prometheus-rules.yaml"
DASHBOARD = json.loads((MONITORING / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
COUNT = "seldon_api_executor_server_requests_seconds_count"

pytestmark = needs_prometheus


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """
    Half of the canary's answers are errors, and every series has grown by so much that chance does not matter.

    Queries are evaluated at that moment: later, on a slow machine, nothing would have grown any more.
    """
    options = LocalOptions(token=None, kubelet="simulated", pod_startup=(0.02, 0.1), istio=True, seed=7)
    folder = tmp_path_factory.mktemp("monitoring")
    with LocalSeldon(options) as local, prometheus(folder, [local.scrape_config(interval=INTERVAL)]) as found:
        cluster = Cluster(api_url=local.api_url, gateway_url=local.gateway_url)
        local.misbehaviours.order(Misbehaviour(error_rate=0.5), deployment="iris", predictor="canary")
        deploy(cluster, "iris", predictor("default", 50, version="v1"), predictor("canary", 50, version="v2"))

        def grown() -> bool:
            ask(cluster, "iris", 20)
            series = found.ask(f'increase({COUNT}{{service="predictions"}}[20s]) > 10')
            codes = {(one["metric"]["predictor_name"], one["metric"]["code"]) for one in series}
            return {name for name, _ in codes} == {"default", "canary"} and len(codes) > 2

        assert until(grown)
        yield dataclasses.replace(found, at=time.time())


def expression(text: str, *, deployment: str = "iris") -> str:
    """A query as Grafana sends it."""
    variables = {"$namespace": "default", "$deployment": deployment, "$__rate_interval": "20s"}
    for name, value in variables.items():
        text = text.replace(name, value)
    assert "$" not in text
    return text


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: f"{panel['id']} {panel['title']}")
def test_every_query_of_the_dashboard_returns_data(server: Prometheus, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        found = server.ask(expression(target["expr"]))
        assert found, target["expr"]
        values = [float(one["value"][1]) for one in found]
        assert all(value == value for value in values), "no NaN"
        if "predictor" in panel["title"]:
            assert {one["metric"]["predictor_name"] for one in found} == {"default", "canary"}
        if panel["title"] == "Error ratio by predictor":
            ratio = {one["metric"]["predictor_name"]: float(one["value"][1]) for one in found}
            assert ratio["default"] == 0
            assert 0.2 < ratio["canary"] < 0.8
        assert server.ask(expression(target["expr"], deployment="another")) == []


def test_the_variables_of_the_dashboard_are_labels_that_there_are(server: Prometheus) -> None:
    (labels,) = {
        tuple(sorted(one["metric"].keys() & {"namespace", "deployment_name"})) for one in server.ask(COUNT)
    }
    assert labels == ("deployment_name", "namespace")
    queries = [one["query"]["query"] for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]
    assert [query.rsplit(", ", 1)[1].rstrip(")") for query in queries] == ["namespace", "deployment_name"]


def test_every_recorded_series_of_the_rules_has_both_predictors(server: Prometheus) -> None:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    for rule in (one for one in rules if "record" in one):
        text = rule["expr"].replace("[5m]", "[20s]")
        for other in (one for one in rules if "record" in one and one is not rule):
            text = text.replace(other["record"], f"({other['expr'].replace('[5m]', '[20s]')})")
        found = server.ask(text)
        assert {one["metric"]["predictor_name"] for one in found} == {"default", "canary"}, rule["record"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
def test_each_alert_fires_when_it_is_meant_to_and_only_then(tmp_path: Path) -> None:
    def of(deployment: str, name: str) -> str:
        return f'namespace="n",deployment_name="{deployment}",predictor_name="{name}",service="predictions"'

    def series(deployment: str, name: str, code: str, values: str) -> dict[str, str]:
        labels = f'{of(deployment, name)},code="{code}"'
        return {"series": f"{COUNT}{{{labels}}}", "values": values}

    def slow(deployment: str, bound: str, values: str) -> dict[str, str]:
        labels = f'{of(deployment, "default")},code="200"'
        name = COUNT.replace("_count", "_bucket")
        return {"series": f'{name}{{{labels},le="{bound}"}}', "values": values}

    steady, rare, none = "0+60x200", "0+6x200", "0+0x200"
    given = [
        series("good", "default", "200", steady),
        series("good", "default", "400", steady),
        series("good", "canary", "200", steady),
        series("bad", "default", "200", steady),
        series("bad", "default", "500", rare),
        series("tried", "default", "200", steady),
        series("tried", "canary", "200", steady),
        series("tried", "canary", "500", "0+3x200"),
        series("silent", "default", "200", "0+60x60 3600+0x140"),
        *(slow("good", bound, steady) for bound in ("0.1", "5", "+Inf")),
        slow("slow", "0.1", none),
        slow("slow", "5", steady),
        slow("slow", "+Inf", steady),
    ]
    expected = {
        "SeldonModelErrors": "bad",
        "SeldonModelSlow": "slow",
        "SeldonCanaryWorse": "tried",
        "SeldonModelSilent": "silent",
    }
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    alerts = {one["alert"]: one for one in rules if "alert" in one}
    assert alerts.keys() == expected.keys()
    checks = []
    for name, deployment in expected.items():
        at = "100m" if name == "SeldonModelSilent" else "30m"
        checks.append((name, deployment, at))
    # What an alert says is not compared: only which deployment it is about.
    for rule in rules:
        rule.pop("annotations", None)
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "seldon", "rules": rules}]}))
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": given,
                "alert_rule_test": [
                    {
                        "eval_time": at,
                        "alertname": name,
                        "exp_alerts": [
                            {
                                "exp_labels": {
                                    **alerts[name]["labels"],
                                    "namespace": "n",
                                    "deployment_name": deployment,
                                    **({"predictor_name": "canary"} if name == "SeldonCanaryWorse" else {}),
                                }
                            }
                        ],
                    }
                    for name, deployment, at in checks
                ],
            }
        ],
    }
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(test))
    for command in (["check", "rules", str(RULES)], ["test", "rules", str(tmp_path / "test.yaml")]):
        done = subprocess.run(["promtool", *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
