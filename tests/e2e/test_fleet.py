"""The fleet page in Airflow's own UI: found, filtered, followed to a run, and a broken model mended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import requests

from tests.airflow_version import AIRFLOW_3, AIRFLOW_3_3

if not AIRFLOW_3:
    pytest.skip("there is no page before Airflow 3.1", allow_module_level=True)

from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import DeploymentView, DetailView, PredictorView
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.e2e.conftest import NAMESPACE, Platform
from tests.e2e.rest import eventually
from tests.integration.conftest import context

pytest.importorskip("selenium", reason="selenium is not installed")

from tests.e2e.browser import CHROMIUM, DRIVER, Browser

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="there is no chromium, or no chromedriver, in the PATH"
    ),
]

HOSTILE = "s3://models/<img src=x onerror=\"document.title='obeyed'\">"
ROUTES = (
    *("", "deployment?connection=c&namespace=n&name=m", "reaper", "page.js", "page.css"),
    *("api/v1/deployments", "api/v1/reaper"),
)


@pytest.fixture(scope="module")
def browser(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    window = Browser(tmp_path_factory.mktemp("profile"), size=(1500, 1400))
    yield window
    window.close()


@contextmanager
def inside(browser: Browser) -> Iterator[None]:
    """Be in the frame that Airflow shows the page in."""
    browser.driver.switch_to.frame(browser.find("//iframe[@title='Seldon']"))
    try:
        yield
    finally:
        browser.driver.switch_to.default_content()


def row(name: str, text: str = "") -> str:
    """The row of a deployment, once a text is in it."""
    return f"//tbody/tr[th/a[normalize-space()='{name}']][contains(., '{text}')]"


def row_of(name: str, what: str) -> str:
    """The row that tells what a reaper did with a deployment."""
    return f"//section[h2='Done recently']//tr[starts-with(normalize-space(th), '{name}')][contains(., '{what}')]"


def test_a_model_that_breaks_is_found_with_its_cause_and_run_and_turns_green_with_the_snippet(
    browser: Browser, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    airflow = platform.airflow
    good = airflow.rest.run("fleet", day=1, uri="s3://models/fleet/1", behaviour="slow:0.5")
    good.wait_for("success")
    browser.open(f"{airflow.url}/")
    browser.click("//button[contains(., 'Browse')]")
    browser.click("//a[contains(@href, '/plugin/seldon')]")
    with inside(browser):
        browser.find(row("fleet", "serving"))
        browser.find("//*[@role='alert'][contains(., 'away')][contains(., 'could not be reached')]")

    bad = airflow.rest.run("fleet", day=2, uri="s3://models/fleet/2", behaviour="crash:3")
    with inside(browser):
        # The page refreshes itself, without a reload.
        browser.find(row("fleet", "degraded") + " | " + row("fleet", "not proven"))
    bad.wait_for("failed")
    with inside(browser):
        browser.find(row("fleet", "exit code 3"))
        failure = browser.find(row("fleet") + "//div[contains(., 'Last failure')][.//time]")
        assert "does not become ready" in failure.text
        assert "/dags/fleet/runs/run-2/tasks/deploy" in failure.get_attribute("innerHTML")
        browser.click("//*[@role='status']//a[contains(., 'failed')]")
        browser.find(row("fleet"))
    if AIRFLOW_3_3:
        assert "condition=failed" in browser.driver.current_url, "the filter can be shared"
        browser.open(browser.driver.current_url)
    with inside(browser):
        address = browser.find("//input[@data-address]").get_attribute("value")
        assert "condition=failed" in str(address), (
            "below the list stands an address that any Airflow can share"
        )
        browser.click(row("fleet") + "//th/a")
        diagnosis = browser.find("//section[h2='Diagnosis']/pre").text
        assert "exit code 3" in diagnosis
        assert "simulated failure" in diagnosis, "the container's own log"
        runs = browser.find("//section[h2[contains(., 'Runs of')]]//table").text
        assert "does not become ready" in runs, "what the run itself has told"
        snippet = browser.find("//pre[@id='snippet']").text
        browser.click("//section[h2='Now']//a[normalize-space()='run-2']")
    eventually(
        "Airflow shows the run",
        lambda: browser.driver.current_url.endswith("/dags/fleet/runs/run-2/tasks/deploy"),
    )

    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", platform.local.airflow_connection())
    copied: dict[str, Any] = {}
    exec(
        snippet.replace("SeldonRollbackOperator(", "task = SeldonRollbackOperator(", 2).replace(
            "import task = ", "import "
        ),
        copied,
    )
    assert copied["task"].execute(context(run_id="roll back"))["action"] == "rolled_back"
    browser.open(f"{airflow.url}/dags/fleet/plugin/seldon-dag")
    with inside(browser):
        browser.find(row("fleet", "serving"))
        assert "fleet" in browser.find("//tbody").text
        assert "degraded" not in browser.find(row("fleet", "serving")).text


def test_a_preview_that_is_over_is_due_until_the_reaper_has_deleted_it(
    browser: Browser, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SELDON_DEFAULT", platform.local.airflow_connection())
    airflow = platform.airflow
    name = "fleet-preview"
    SeldonDeployModelOperator(
        task_id="preview",
        model_name=name,
        name=name,
        model_uri="s3://models/preview/1",
        implementation="SKLEARN_SERVER",
        ttl=1,
        wait_for_available=False,
    ).execute(context())
    browser.open(f"{airflow.url}/plugin/seldon")
    with inside(browser):
        browser.find(row(name, "To be marked") + "[contains(., 'No reaper that you may see')]")
    for day, what in ((1, "marked"), (2, "deleted")):
        airflow.rest.run("reaper", day=day, task="reap", name=name).wait_for("success")
        report = airflow.rest.call(
            "GET", f"/dags/reaper/dagRuns/run-{day}/taskInstances/reap/xcomEntries/report"
        )
        assert name in str(report["value"]), what
    with inside(browser):
        browser.click("//a[normalize-space()='Reaper']")
        done = browser.find(row_of(name, "deleted")).text
        assert "it expired at" in done
        assert browser.find(row_of(name, "marked as due"))
        browser.click(row_of(name, "deleted") + "//a[normalize-space()='run-2']")
    eventually(
        "Airflow shows the reaper's run",
        lambda: browser.driver.current_url.endswith("/dags/reaper/runs/run-2/tasks/reap"),
    )


def test_a_thousand_deployments_below_a_path_are_only_for_users_who_log_in(
    browser: Browser, platform: Platform
) -> None:
    one = DeploymentView(
        connection="far",
        namespace=NAMESPACE,
        model_name="<b>iris</b>",
        model_uri=HOSTILE,
        revision="0123456789",
        proven=True,
        proven_at="2026-01-02T03:04:05+00:00",
        condition="serving",
        predictors=(PredictorView(name="default", traffic=100, wanted=1, available=1),),
        dag_id="gone",
        task_id="deploy",
        run_id="run-1",
    )
    views = [replace(one, name=f"iris-{number:04}") for number in range(1000)]
    written = Snapshot(connection="far", moment=1e9, details=[DetailView(deployment=view) for view in views])
    variable = {"key": "seldon_fleet.far", "value": written.pack()}
    platform.airflow.rest.call("POST", "/variables", variable)
    base = platform.airflow.start_second_server(
        path="/air",
        users={"somebody": "viewer"},
        settings={"AIRFLOW__SELDON__FLEET_CONNECTIONS": "far", "AIRFLOW__SELDON__FLEET_SOURCE": "snapshot"},
    )

    def answers() -> bool:
        try:
            return requests.get(f"{base}/api/v2/version", timeout=5).ok
        except requests.RequestException:
            return False

    eventually("the second server answers", answers)
    assert {requests.get(f"{base}/seldon/{route}", timeout=30).status_code for route in ROUTES} == {401}

    browser.open(f"{base}/plugin/seldon")
    browser.write("//input[@name='username']", "somebody")
    browser.write("//input[@name='password']", "somebody")
    browser.click("//button[@type='submit' or normalize-space()='Sign in']")
    eventually("somebody is logged in", lambda: "/login" not in browser.driver.current_url)
    browser.open(f"{base}/plugin/seldon")
    with inside(browser):
        browser.find("//nav[contains(., 'Part 1 of 10')]")
        browser.write("//input[@name='q']", "0999")
        browser.click("//button[normalize-space()='Filter']")
        browser.find("//*[@role='status'][contains(., '1 of 1000')]")
        text = browser.find(row("iris-0999", "orphaned")).text
        assert HOSTILE in text
        assert "<b>iris</b>" in text
        browser.click(row("iris-0999") + "//th/a")
        assert HOSTILE in browser.find("//dd[contains(., 's3://')]").text
        assert browser.script("return document.title") == "iris-0999", "nothing of it was obeyed"
    browser.script("localStorage.setItem('theme', 'dark'); document.documentElement.classList.add('dark')")
    with inside(browser):
        dark = "return getComputedStyle(document.body).backgroundColor"
        eventually("the page is as dark as Airflow", lambda: browser.script(dark) == "rgb(17, 17, 20)")
