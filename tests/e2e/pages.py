"""The pages of Airflow's UI that this provider appears in, for either version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.airflow_version import AIRFLOW_3, AIRFLOW_3_4
from tests.e2e.browser import Browser
from tests.e2e.rest import Rest, eventually

TYPE = "Seldon Core"


@dataclass(frozen=True)
class Field:
    """A field of a form, as it is shown."""

    label: str
    description: str
    placeholder: str
    masked: bool


class ConnectionPages:
    """
    Admin > Connections.

    :param browser: the window.
    :param url: of Airflow.
    :param rest: where connections are made that nobody types in.
    """

    def __init__(self, browser: Browser, *, url: str, rest: Rest) -> None:
        self._browser = browser
        self._url = url
        self._rest = rest

    def add(self, conn_id: str) -> None:
        """Open the form of a new connection of our type."""
        raise NotImplementedError

    def fields(self) -> dict[str, Field]:
        """Return the fields of the form that are for our type, by name."""
        rows = eventually("the fields are shown", lambda: self._browser.script(self._FIELDS))
        return {name.removeprefix(self._PREFIX): Field(*rest) for name, *rest in rows}

    def fill(self, **values: str) -> None:
        """Write into the form's fields."""
        for name, value in values.items():
            own = name not in ("login", "password", "port")
            self._browser.write(f"//*[@name='{self._PREFIX if own else ''}{name}']", value)

    def save(self) -> None:
        """Press "Save" and wait until the connection is listed."""
        raise NotImplementedError

    def test(self, conn_id: str, **extra: str) -> tuple[bool | None, str]:
        """
        Press "Test" for a connection with these extra fields and return the message.

        Before it stands whether the connection works by the message's colour: None on Airflow 2, where all are green.
        """
        raise NotImplementedError

    _PREFIX: str
    _FIELDS: str


class ConnectionPages3(ConnectionPages):
    """As Airflow 3 has them; a connection is tested in the list."""

    _PREFIX = "element_"
    _FIELDS = """
        return [...document.querySelectorAll("[role=dialog] [data-scope=field][data-part=root]")]
          .map(row => [row, row.querySelector("input[name], textarea[name]")])
          .filter(([row, input]) => input && input.name && input.name != "connection_id")
          .map(([row, input]) => [
            input.name,
            row.querySelector("label").textContent.trim(),
            (row.querySelector("[data-part=helper-text]") || {textContent: ""}).textContent,
            input.placeholder,
            input.type == "password",
          ])
    """
    # Some notes are shown for two seconds only.
    _OBSERVER = """
        window.notes = [];
        new MutationObserver(() => document.querySelectorAll("[data-scope=toast][data-part=root]").forEach(note => {
          const text = part => (note.querySelector(`[data-part=${part}]`) || {textContent: ""}).textContent;
          if (text("title").startsWith("Test Connection"))
            window.notes.push([note.dataset.type == "success", text("description")]);
        })).observe(document.body, {subtree: true, childList: true, characterData: true});
    """

    def add(self, conn_id: str) -> None:
        self._browser.open(f"{self._url}/connections")
        self._browser.click("//button[normalize-space()='Add Connection']")
        self._browser.write("//input[@name='connection_id']", conn_id)
        self._browser.click("//*[@role='dialog']//*[@role='combobox']/..")
        self._browser.click(f"//*[@role='option'][normalize-space()='{TYPE}']")

    def extra_fields(self) -> None:
        """Open the part of the form with the extra fields; Airflow 3.4 has no parts."""
        if not AIRFLOW_3_4:
            self._browser.click("//*[@role='dialog']//button[normalize-space()='Extra Fields']")

    def fill(self, **values: str) -> None:
        standard = {name: values.pop(name) for name in ("login", "password", "port") if name in values}
        super().fill(**standard)
        if values:
            self.extra_fields()
            super().fill(**values)

    def save(self) -> None:
        self._browser.click("//*[@role='dialog']//button[normalize-space()='Save']")
        self._browser.find("//td[@data-testid='table-cell-connection_id']")

    def test(self, conn_id: str, **extra: str) -> tuple[bool | None, str]:
        if extra:
            body = {"connection_id": conn_id, "conn_type": "seldon", "port": 0, "extra": _json(extra)}
            self._rest.call("POST", "/connections", body)
        self._browser.open(f"{self._url}/connections")
        row = f"//tr[td[@data-testid='table-cell-connection_id'][normalize-space()='{conn_id}']]"
        self._browser.find(row)
        self._browser.script(self._OBSERVER)
        self._browser.click(f"{row}//button[@aria-label='Test Connection']")
        works, message = eventually(
            "the result is shown", lambda: self._browser.script("return window.notes.find(note => note[1])")
        )
        return bool(works), str(message)


class ConnectionPages2(ConnectionPages):
    """As Airflow 2 has them; a connection is tested in the form, before it is saved."""

    _PREFIX = "extra__seldon__"
    _FIELDS = """
        return [...document.querySelectorAll("#model_form tr")]
          .map(row => [row, row.querySelector("input, textarea, select")])
          .filter(([row, input]) => input && row.offsetParent && !["conn_id", "conn_type"].includes(input.name))
          .map(([row, input]) => [
            input.name,
            row.querySelector("label").textContent.trim(),
            (row.querySelector(".help-block") || {textContent: ""}).textContent,
            input.placeholder || "",
            input.type == "password",
          ])
    """
    _RESULT = ".container .row .alert"

    def add(self, conn_id: str) -> None:
        self._browser.open(f"{self._url}/connection/add")
        self._browser.write("//input[@name='conn_id']", conn_id)
        self._browser.click("//select[@id='conn_type']/following-sibling::span")
        self._browser.click(f"//li[contains(@class, 'select2-results__option')][normalize-space()='{TYPE}']")
        self._browser.find(f"//*[@name='{self._PREFIX}namespace']")

    def save(self) -> None:
        self._browser.click("//form[@id='model_form']//button[@type='submit']")
        self._browser.find("//*[contains(@class, 'alert')][contains(., 'Added Row')]")

    def test(self, conn_id: str, **extra: str) -> tuple[bool | None, str]:
        if extra:
            self.fill(**extra)
        # The form begins with its own note.
        self._browser.script("$(arguments[0]).text('').hide()", self._RESULT)
        self._browser.click("//button[@id='test-connection']")
        look = "const note = $(arguments[0]); return note.is(':visible') && note.text().trim()"
        return None, str(eventually("the result is shown", lambda: self._browser.script(look, self._RESULT)))


def connection_pages(browser: Browser, *, url: str, rest: Rest) -> ConnectionPages:
    """Return the pages of the version that runs."""
    return (ConnectionPages3 if AIRFLOW_3 else ConnectionPages2)(browser, url=url, rest=rest)


def links(browser: Browser, url: str, *, dag_id: str, run_id: str, task: str) -> dict[str, str]:
    """Return the extra links that the page of a task instance shows: name -> URL."""
    if AIRFLOW_3:
        browser.open(f"{url}/dags/{dag_id}/runs/{run_id}/tasks/{task}/details")
    else:
        browser.open(f"{url}/dags/{dag_id}/grid?dag_run_id={run_id}&task_id={task}&tab=details")
    look = """
        const all = root => [...root.querySelectorAll("*")];
        const roots = [document, ...all(document).map(one => one.shadowRoot).filter(one => one)];
        const heading = roots.flatMap(all).find(
          one => !one.children.length && one.textContent.trim() == "Extra Links");
        return heading && [...heading.parentElement.querySelectorAll("a[href]")]
          .map(one => [one.textContent.replace(/\\s+/g, " ").trim(), one.href]);
    """
    return dict(eventually("the links are shown", lambda: browser.script(look)))


def _json(value: Any) -> str:
    import json

    return json.dumps(value)
