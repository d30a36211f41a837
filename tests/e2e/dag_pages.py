"""The pages of Airflow's UI on which a user starts a DAG and watches it, for either version."""

from __future__ import annotations

from tests.airflow_version import AIRFLOW_3
from tests.e2e.browser import Browser
from tests.e2e.rest import eventually


class DagPages:
    """
    The DAGs, their runs and their tasks.

    :param browser: the window.
    :param url: of Airflow.
    """

    def __init__(self, browser: Browser, *, url: str) -> None:
        self._browser = browser
        self._url = url

    def unpause(self, dag_id: str) -> None:
        """Switch a DAG on."""
        raise NotImplementedError

    def trigger(self, dag_id: str) -> None:
        """Start a run with its parameters as they are; that also switches the DAG on."""
        raise NotImplementedError

    def open_run(self, dag_id: str) -> None:
        """Open the only run of a DAG, as soon as there is one."""
        raise NotImplementedError

    def open_task(self, dag_id: str, task: str) -> None:
        """Open the details of a task of the only run of a DAG."""
        raise NotImplementedError

    def wait_until_green(self) -> None:
        """Watch the run, or the task, that is open until it has succeeded; another end is an error."""

        def look() -> bool:
            state = self._state()
            assert state not in ("failed", "skipped", "upstream failed", "upstream_failed"), state
            return state == "success"

        eventually("the run is green", look)

    def follow(self, link: str) -> tuple[str, str]:
        """Click on an extra link of the task that is open; return where it leads to and the text of that page."""
        here = self._browser.driver.current_window_handle
        # Airflow 3.4 has a "Dashboard" of its own, in its navigation.
        self._browser.press("a[href][target=_blank]", text=link)
        return self._browser.read_other_window(here)

    def _state(self) -> str:
        """The state that is shown, in small letters."""
        raise NotImplementedError

    def _press_on_page(self, page: str, selector: str) -> None:
        """Click on something that comes up on a page some time; the page need not notice by itself."""

        def look() -> bool:
            self._browser.open(page)
            try:
                eventually(selector, lambda: self._browser.shown(selector), timeout=10)
            except AssertionError:
                return False
            return True

        eventually(f"{selector} is on {page}", look)
        self._browser.press(selector)


class DagPages3(DagPages):
    """As Airflow 3 has them."""

    def unpause(self, dag_id: str) -> None:
        self._browser.open(f"{self._url}/dags/{dag_id}")
        self._browser.press("[data-testid=toggle-pause]")
        self._wait_until_on()

    def trigger(self, dag_id: str) -> None:
        self._browser.open(f"{self._url}/dags/{dag_id}")
        self._browser.press("[data-testid=trigger-dag-button]")
        self._browser.press("[role=dialog] button", text="Trigger")
        eventually("its page is shown", lambda: "/runs/" in self._browser.driver.current_url)
        # The page switches the DAG on afterwards, with its own request.
        self._wait_until_on()

    def open_run(self, dag_id: str) -> None:
        self._press_on_page(f"{self._url}/dags/{dag_id}", f"a[href*='/dags/{dag_id}/runs/'][href$='/']")

    def open_task(self, dag_id: str, task: str) -> None:
        self._press_on_page(f"{self._url}/dags/{dag_id}", f"a[href*='/runs/'][href$='/tasks/{task}']")
        self._browser.press("a[href$='/details']")

    def _wait_until_on(self) -> None:
        eventually("it is on", lambda: self._browser.shown("[data-testid=toggle-pause] [data-state=checked]"))

    def _state(self) -> str:
        return self._browser.text("[data-testid=state-badge]").lower()


class DagPages2(DagPages):
    """As Airflow 2 has them; the grid is in shadow trees."""

    def unpause(self, dag_id: str) -> None:
        self._browser.open(f"{self._url}/home")
        self._browser.press(f"label:has(#toggle-{dag_id})")
        checked = f"return document.querySelector('#toggle-{dag_id}').checked"
        eventually("it is on", lambda: self._browser.script(checked))

    def trigger(self, dag_id: str) -> None:
        self._browser.open(f"{self._url}/home")
        self._browser.press(f"a[href^='/dags/{dag_id}/trigger']")
        self._browser.press("form button[type=submit]", text="Trigger")
        eventually("the list is shown", lambda: self._browser.driver.current_url.endswith("/home"))

    def open_run(self, dag_id: str) -> None:
        self._press_on_page(f"{self._url}/dags/{dag_id}/grid", "[data-testid=run]")

    def open_task(self, dag_id: str, task: str) -> None:
        self._press_on_page(f"{self._url}/dags/{dag_id}/grid", "[data-testid=task-instance]")
        eventually("its page is shown", lambda: f"task_id={task}" in self._browser.driver.current_url)

    def _state(self) -> str:
        return self._browser.text("tr", like="Status\\s*\\w+").removeprefix("Status").strip()


def dag_pages(browser: Browser, *, url: str) -> DagPages:
    """Return the pages of the version that runs."""
    return (DagPages3 if AIRFLOW_3 else DagPages2)(browser, url=url)
