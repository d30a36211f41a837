"""The fleet page for somebody without a mouse, or who has it read aloud: a real browser, and the page alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.airflow_version import AIRFLOW_3

if not AIRFLOW_3:
    pytest.skip("there is no page before Airflow 3.1", allow_module_level=True)

import uvicorn

from airflow_provider_seldon.core.fleet.reaping import run_of
from airflow_provider_seldon.core.fleet.view import (
    CanaryView,
    DeploymentView,
    DetailView,
    NodeView,
    PredictorView,
    VersionView,
)
from airflow_provider_seldon.fleet import app as web
from airflow_provider_seldon.fleet.fleet import Fleet
from tests.e2e.axe import GRAVE, RUN, axe_source
from tests.e2e.rest import eventually
from tests.integration.test_fleet_app import Owners, Written, login  # noqa: F401

pytest.importorskip("selenium", reason="selenium is not installed")

from selenium.webdriver.common.keys import Keys

from tests.e2e.browser import CHROMIUM, DRIVER, Browser

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="there is no chromium, or no chromedriver, in the PATH"
    ),
]

RAN = "2026-01-02T03:04:05+00:00"
#: What a browser tells of somebody who chooses with a mouse.
POINTED = """
    const one = document.querySelector("select[name=condition]");
    one.dispatchEvent(new Event("pointerdown", {bubbles: true}));
    one.value = "failed";
    one.dispatchEvent(new Event("change", {bubbles: true}));
"""
#: Of what has the focus: its text or value, what it is, and whether one sees that it has it.
FOCUSED = """
    const one = document.activeElement, style = getComputedStyle(one);
    return {
      text: (one.textContent || one.value || "").trim(),
      name: one.tagName.toLowerCase() + (one.name ? "=" + one.name : ""),
      seen: one.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
      row: one.closest("tbody tr") !== null,
    };
"""
SERVING = DeploymentView(
    connection="written",
    namespace="models",
    model_name="iris",
    model_uri="s3://models/iris/2",
    implementation="SKLEARN_SERVER",
    protocol="v2",
    revision="0123456789",
    proven=True,
    proven_at=RAN,
    condition="serving",
    reason="Serving",
    predictors=(
        PredictorView(name="default", traffic=75, wanted=1, available=1),
        PredictorView(name="canary", traffic=25, wanted=1, available=1),
    ),
    canary=CanaryView(step=1, steps=("25 %", "50 %"), stage="stepping", run="run-1", expires=1e10),
    dag_id="train",
    task_id="deploy",
    run_id="run-1",
    metrics={"accuracy": 0.93},
)
BROKEN = replace(
    SERVING,
    name="broken",
    proven=False,
    condition="failed",
    reason="PodsFailed",
    message="a container exits",
    cause="container classifier: exit code 3",
    canary=None,
    expires=RAN,
    badges=("expired", "degraded"),
)
VERSIONS = tuple(
    VersionView(
        revision=str(number), proven_at=RAN, at=RAN, run_id=f"run-{number}", metrics={"accuracy": number / 10}
    )
    for number in (3, 2, 1)
)


class Page:
    """
    The page in a browser, without Airflow around it.

    :param browser: a window.
    :param url: of the page.
    :param written: what it shows.
    """

    def __init__(self, browser: Browser, url: str, written: Written) -> None:
        self.browser = browser
        self.url = url
        self.written = written

    def press(self, *keys: str) -> dict[str, Any]:
        """Press keys, and return what has the focus then."""
        self.browser.driver.switch_to.active_element.send_keys(*keys)
        return self.focused()

    def focused(self) -> dict[str, Any]:
        """Return what has the focus."""
        found: dict[str, Any] = self.browser.script(FOCUSED)
        return found

    def tab_to(self, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Continue until something fits; whatever is passed shows that it has the focus."""
        passed = []
        for _ in range(40):
            here = self.press(Keys.TAB)
            passed.append(here)
            assert here["seen"], f"nobody sees that this has the focus: {here}"
            if fits(here):
                return here
        raise AssertionError(f"not among {passed}")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    window = Browser(tmp_path_factory.mktemp("profile"), size=(1300, 900))
    yield window
    window.close()


@pytest.fixture
def page(browser: Browser, login: Callable[[str | None], dict[str, str]]) -> Iterator[Page]:  # noqa: F811
    """Serve it, and log in."""
    views = [replace(SERVING, name=f"iris-{number}") for number in range(5)]
    nodes = (NodeView(name="classifier", type="MODEL", predictor="default"),)
    written = Written(
        *(DetailView(deployment=view) for view in views),
        DetailView(
            deployment=BROKEN, versions=VERSIONS, nodes=nodes, roll_back_to="2", diagnosis="exit code 3"
        ),
    )
    done = {"deleted": [{"namespace": "models", "name": "preview", "reason": "its time is over"}]}
    entry = {
        "namespace": "models",
        "name": "broken",
        "dag_id": "train",
        "task_id": "deploy",
        "reason": "over",
    }
    report = {**done, "marked": [entry], "terms": {"namespaces": ["models"]}}
    run = run_of(report, dag_id="train", task_id="reap", run_id="run-1", at=RAN, state="success")
    owners: Any = Owners(run)
    app = web.application(Fleet({("written", ""): written}, owners))
    app.dependency_overrides[web.readable_by] = lambda: lambda: {"train"}
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    eventually("the page is served", lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    browser.open(url)
    token = login("viewer")["Authorization"].removeprefix("Bearer ")
    browser.driver.add_cookie({"name": "_token", "value": token})
    browser.open(url)
    yield Page(browser, url, written)
    server.should_exit = True
    thread.join(10)


def test_it_is_filtered_sorted_and_followed_by_keys_alone(page: Page) -> None:
    browser = page.browser
    assert page.press(Keys.TAB)["text"] == "Skip to the content"
    page.press(Keys.ENTER)
    assert page.focused()["name"] == "main"

    page.tab_to(lambda one: one["name"] == "select=condition")
    page.press(Keys.ARROW_DOWN)
    page.press(Keys.ARROW_DOWN)
    assert "condition=" not in browser.driver.current_url, "going through the choices chooses nothing yet"
    browser.script(POINTED)
    eventually("a click chooses at once", lambda: "condition=failed" in browser.driver.current_url)
    browser.open(page.url)
    browser.driver.execute_script("document.querySelector('.skip').focus()")
    page.tab_to(lambda one: one["name"] == "input=q")
    page.press("broken", Keys.ENTER)
    browser.find("//*[@role='status'][contains(., '1 of 6')]")
    assert "q=broken" in browser.driver.current_url

    page.tab_to(lambda one: one["text"] == "Deployment")
    page.press(Keys.ENTER)
    browser.find("//th[@aria-sort='ascending'][normalize-space()='Deployment']")
    # The focus is where it was, so that the other way round is one key away.
    eventually("the heading has the focus", lambda: page.focused()["text"] == "Deployment")
    page.press(Keys.ENTER)
    browser.find("//th[@aria-sort='descending'][normalize-space()='Deployment']")

    assert page.tab_to(lambda one: one["row"])["text"] == "broken"
    page.press(Keys.ENTER)
    browser.find("//h1[normalize-space()='broken']")
    assert page.tab_to(lambda one: one["name"] == "button")["text"] == "Copy"
    assert page.press(Keys.ENTER)["text"] == "Copied"


def test_what_changes_is_said_in_place_and_takes_the_focus_from_nobody(page: Page) -> None:
    browser = page.browser
    page.tab_to(lambda one: one["text"] == "iris-0")
    browser.script("window.before = document.querySelector('[role=status]')")
    page.written.forget("broken")
    browser.script("refresh()")
    browser.find("//*[@role='status'][contains(., '5 of 5')]")
    assert browser.script("return window.before.isConnected"), "a region is read aloud that was there before"
    eventually(
        "the list is new", lambda: not browser.script("return document.body.innerText.includes('exit')")
    )
    assert page.focused()["text"] == "iris-0"

    browser.script("window.there = window.fetch; window.fetch = () => Promise.reject(); refresh()")
    browser.find("//*[@role='alert'][contains(., 'does not answer')]")
    browser.script("window.fetch = window.there; refresh()")
    told = "return document.querySelector('[data-stale]').textContent"
    eventually("it answers again", lambda: browser.script(told) == "")

    browser.open(page.url + "deployment?connection=written&namespace=models&name=iris-0")
    page.written.forget("iris-0")
    browser.script("refresh()")
    browser.find("//h1[normalize-space()='Not found']")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_grave_in_either_theme(page: Page, theme: str) -> None:
    try:
        source = axe_source()
    except LookupError as reason:
        pytest.skip(str(reason))
    browser = page.browser
    dark = [{"name": "prefers-color-scheme", "value": theme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": dark})
    found = {}
    one = "deployment?connection=written&namespace=models&name="
    for address in ("", "reaper", f"{one}broken", f"{one}missing"):
        browser.open(page.url + address)
        browser.find("//h1")
        browser.script(source)
        found[address] = [one for one in browser.driver.execute_async_script(RUN, {}) if one[0] in GRAVE]
    assert found == {key: [] for key in found}
    # It does find what is wrong.
    browser.script("document.querySelector('h1').insertAdjacentHTML('afterend', '<select></select>')")
    assert [one[1] for one in browser.driver.execute_async_script(RUN, {})] == ["select-name"]
