"""What a user sees of this provider in Airflow's own UI, by a real browser."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from airflow_provider_seldon.get_provider_info import connection_fields, field_behaviour
from airflow_provider_seldon.local.apiserver.access.authorization import Deny
from tests.airflow_version import AIRFLOW_3
from tests.api_servers import ApiServers, api_servers, kube_config
from tests.e2e.conftest import DASHBOARD, NAMESPACE, Platform
from tests.e2e.rest import eventually

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.e2e.browser import CHROMIUM, DRIVER, Browser
from tests.e2e.pages import ConnectionPages, connection_pages, links

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="there is no chromium, or no chromedriver, in the PATH"
    ),
]


@pytest.fixture(scope="module")
def browser(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    window = Browser(tmp_path_factory.mktemp("profile"), size=(1200, 2000))
    yield window
    window.close()


@pytest.fixture(scope="module")
def connections(browser: Browser, platform: Platform) -> ConnectionPages:
    return connection_pages(browser, url=platform.airflow.url, rest=platform.airflow.rest)


@pytest.fixture(scope="module")
def servers() -> Iterator[ApiServers]:
    with api_servers() as found:
        yield found


def test_the_connection_form_shows_every_field_and_hides_what_is_secret(connections: ConnectionPages) -> None:
    connections.add("form_only")
    shown = connections.fields()
    behaviour: Any = field_behaviour()
    standard = {"description", "login", "password"} | ({"port"} if AIRFLOW_3 else set())
    assert set(shown) == set(connection_fields()) | standard
    for name, field in connection_fields().items():
        assert (shown[name].label, shown[name].description) == (field["label"], field["description"])
    for name in standard - {"description"}:
        assert shown[name].label == behaviour["relabeling"][name]
    for name, placeholder in behaviour["placeholders"].items():
        if name in standard or not (AIRFLOW_3 or name == "port"):
            assert shown[name].placeholder == placeholder
    assert {name for name, field in shown.items() if field.masked} == {
        "password",
        "ingress_token",
        "kube_config",
    }


def test_a_connection_that_is_filled_in_and_saved_works(
    connections: ConnectionPages, platform: Platform
) -> None:
    port = {"port": "0"} if AIRFLOW_3 else {}  # see field_behaviour()
    connections.add("typed_in")
    connections.fill(
        **port,
        namespace=NAMESPACE,
        ingress_url=platform.local.gateway_url,
        ingress_token="a-secret",
        kube_config_path=str(platform.local.kubeconfig_path),
    )
    if AIRFLOW_3:
        connections.save()
    works, message = connections.test("typed_in")
    assert (
        message
        == f"Seldon Core answers in namespace {NAMESPACE}, and the account has all necessary permissions."
    )
    assert works is not False
    if not AIRFLOW_3:
        connections.save()
    saved = platform.airflow.rest.call("GET", "/connections/typed_in")
    extra = json.loads(saved["extra"])
    assert saved["conn_type"] == "seldon"
    assert (extra["namespace"], extra["ingress_url"]) == (NAMESPACE, platform.local.gateway_url)
    assert "a-secret" not in saved["extra"] or not AIRFLOW_3, "Airflow 3 masks it in its answers"


def test_the_connection_test_says_what_is_wrong_and_what_to_do(
    connections: ConnectionPages, servers: ApiServers
) -> None:
    cases = {
        "wrong_host": (kube_config("http://127.0.0.1:1"), "cannot be reached", "Check the address"),
        "missing_crd": (
            kube_config(servers.start(seldon=False)),
            "does not serve SeldonDeployments",
            "Install Seldon Core",
        ),
        "missing_right": (
            kube_config(servers.start(deny=[Deny(verb="patch", resource="seldondeployments")])),
            "lacks, in namespace models: patch seldondeployments.machinelearning.seldon.io.",
            "Bind a role",
        ),
        "wrong_token": (
            kube_config(servers.start(tokens=["right"]), token="wrong"),
            "did not accept the credentials",
            "Renew the token",
        ),
    }
    if not AIRFLOW_3:
        connections.add("wrong")
    for conn_id, (config, what, advice) in cases.items():
        works, message = connections.test(conn_id, kube_config=config)
        assert what in message
        assert works is not True, conn_id
        assert advice in message


def test_a_task_links_to_what_it_works_on_while_it_waits_and_afterwards(
    browser: Browser, platform: Platform
) -> None:
    base = f"{platform.local.gateway_url}/seldon/{NAMESPACE}/linked/api/v1.0"
    expected = {
        "Prediction endpoint": f"{base}/predictions",
        "Seldon API": f"{base}/doc/",
        "Dashboard": DASHBOARD.format(namespace=NAMESPACE, name="linked"),
    }
    where = {"dag_id": "linked", "run_id": "run-1", "task": "deploy"}
    platform.local.pause_operator()
    try:
        task = platform.airflow.rest.run("linked", day=1, uri="s3://models/linked/1")
        task.wait_for("deferred")
        assert links(browser, platform.airflow.url, **where) == expected
    finally:
        platform.local.resume_operator()
    task.wait_for("success")
    shown = links(browser, platform.airflow.url, **where)
    assert shown == expected
    body = {"data": {"ndarray": [[1.0, 2.0]]}}
    eventually(
        "the gateway knows of it",
        lambda: requests.post(shown["Prediction endpoint"], json=body, timeout=30).ok,
    )
    browser.open(shown["Seldon API"])
    browser.find("//h1[normalize-space()='Predictor default']")
