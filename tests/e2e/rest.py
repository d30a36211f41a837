"""
The REST API of either Airflow version, as far as the tests drive Airflow with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote

import requests

from tests.airflow_version import AIRFLOW_3

#: Seconds that Airflow may need for anything on a busy machine.
PATIENCE = 300.0
#: Seconds that the API server may need for an answer; longer than a lock of the database is waited for.
TIMEOUT = 120.0


def eventually(what: str, look: Callable[[], Any], *, timeout: float = PATIENCE, every: float = 0.25) -> Any:
    """Return the first true thing that ``look`` returns."""
    until = time.monotonic() + timeout
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > until:
            raise AssertionError(f"not within {timeout:.0f} s: {what}")
        time.sleep(every)


class Rest:
    """
    The REST API, ``/api/v1`` of Airflow 2 or ``/api/v2`` of Airflow 3.

    :param url: of the server.
    :param guard: called before each request; raises when there is no point in going on.
    """

    def __init__(self, url: str, *, guard: Callable[[], None]) -> None:
        self._url = url
        self._guard = guard
        self._base = f"{url}/api/v2" if AIRFLOW_3 else f"{url}/api/v1"
        self._session = requests.Session()
        self._session.trust_env = False

    def healthy(self) -> bool:
        """Whether scheduler, triggerer and the server are there, and the DAGs have been read."""
        try:
            health = self.call("GET", "/monitor/health" if AIRFLOW_3 else "/health")
            parts = {name: part.get("status") for name, part in health.items()}
            up = all(parts.get(name) == "healthy" for name in ("metadatabase", "scheduler", "triggerer"))
            return up and self.call("GET", "/dags")["total_entries"] > 0
        except requests.RequestException:
            return False

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a request and return the body of the answer."""
        self._guard()
        if AIRFLOW_3 and "Authorization" not in self._session.headers:
            answer = self._session.get(f"{self._url}/auth/token", timeout=TIMEOUT)
            answer.raise_for_status()
            self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        headers = {"Accept": "application/json"}
        answer = self._session.request(method, self._base + path, json=body, headers=headers, timeout=TIMEOUT)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text}", response=answer)
        return answer.json()

    def run(self, dag_id: str, *, day: int, task: str = "deploy", **conf: Any) -> TaskInstance:
        """Start a run of a DAG, once its file has been read, and return one of its tasks."""
        body = {"logical_date": f"2026-01-{day:02d}T00:00:00+00:00", "conf": conf, "dag_run_id": f"run-{day}"}
        eventually(f"{dag_id} is known", lambda: self._knows(dag_id))
        self.call("POST", f"/dags/{dag_id}/dagRuns", body)
        return TaskInstance(self, dag_id, f"run-{day}", task)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the runs of a DAG, as the API shows them; none when its file has not been read yet."""
        if not self._knows(dag_id):
            return []
        found: list[dict[str, Any]] = self.call("GET", f"/dags/{dag_id}/dagRuns")["dag_runs"]
        return found

    def _knows(self, dag_id: str) -> bool:
        try:
            return bool(self.call("GET", f"/dags/{dag_id}"))
        except requests.HTTPError as error:
            if error.response.status_code == 404:
                return False
            raise


class TaskInstance:
    """A task of a run; its ``key`` is what Airflow's logs call it."""

    def __init__(self, rest: Rest, dag_id: str, run_id: str, task: str) -> None:
        self._rest = rest
        self.key = f"dag_id='{dag_id}', task_id='{task}', run_id='{run_id}'"
        self._dag_id = dag_id
        self._dag = f"/dags/{dag_id}"
        self._run_id = run_id
        self._task = task
        self._path = f"{self._dag}/dagRuns/{quote(run_id)}/taskInstances/{task}"

    def sibling(self, task: str) -> TaskInstance:
        """Return another task of the same run."""
        return TaskInstance(self._rest, self._dag_id, self._run_id, task)

    def read(self) -> dict[str, Any]:
        """Return the task instance as the API shows it."""
        found: dict[str, Any] = self._rest.call("GET", self._path)
        return found

    def wait_for(self, *states: str, timeout: float = PATIENCE) -> dict[str, Any]:
        """Return the task instance when it is in one of these states; another final state is an error."""

        return self._until(
            " or ".join(states), lambda found: found["state"] in states and found, timeout=timeout
        )  # type: ignore[no-any-return]

    def in_triggerer(self) -> tuple[int, int]:
        """Return the ids of trigger and triggerer, once the one runs in the other; a final state is an error."""

        def ids(found: dict[str, Any]) -> tuple[int, int] | None:
            job = found.get("triggerer_job")
            return (found["trigger"]["id"], job["id"]) if job else None

        return self._until("in a triggerer", ids, every=0.05)  # type: ignore[no-any-return]

    def _until(self, what: str, look: Callable[[dict[str, Any]], Any], **wait: float) -> Any:
        """Return the first true thing that ``look`` returns of the task instance, unless that ends before."""

        def not_ended() -> Any:
            found = self.read()
            if seen := look(found):
                return seen
            if found["state"] in {"success", "failed", "skipped", "upstream_failed"}:
                raise AssertionError(f"{self._path} has ended, and is not {what}")
            return None

        try:
            return eventually(f"{self._path} is {what}", not_ended, **wait)
        except AssertionError as error:
            run = self._rest.call("GET", f"{self._dag}/dagRuns/{quote(self._run_id)}/taskInstances")
            states = {one["task_id"]: (one["state"], one["try_number"]) for one in run["task_instances"]}
            raise AssertionError(f"{error}; states and tries: {states}\n{self.log()}") from None

    def log(self) -> str:
        """Return the log of the last try, as the UI would show it."""
        try:
            number = self.read()["try_number"] or 1
            content = self._rest.call("GET", f"{self._path}/logs/{number}?full_content=true")["content"]
        except requests.RequestException as error:
            return f"no log: {error}"
        if isinstance(content, str):  # Airflow 2: the text of a list of pairs
            return content.replace("\\n", "\n")
        return "\n".join(_line(entry) for entry in content)

    def xcom(self, key: str) -> Any:
        """Return what the task has pushed."""
        value = self._rest.call("GET", f"{self._path}/xcomEntries/{key}")["value"]
        try:
            return json.loads(value)
        except (TypeError, ValueError):
            return value

    def mark_failed(self) -> None:
        """What a user does with the button."""
        body = {"new_state": "failed"} if AIRFLOW_3 else {"new_state": "failed", "dry_run": False}
        self._rest.call("PATCH", self._path, body)

    def clear(self, *others: str) -> None:
        """
        What a user does to run a task, and others of its run, again, once the run is over.

        A scheduler that is about to end the run would do so after it was cleared, and start nothing.
        """
        run = f"{self._dag}/dagRuns/{quote(self._run_id)}"
        eventually("the run is over", lambda: self._rest.call("GET", run)["state"] in ("success", "failed"))
        body: dict[str, Any] = {"dry_run": False, "only_failed": False, "reset_dag_runs": True}
        chosen = {"dag_run_id": self._run_id, "task_ids": [self._task, *others]}
        self._rest.call("POST", f"{self._dag}/clearTaskInstances", body | chosen)


def _line(entry: Any) -> str:
    """A line of a structured log."""
    if not isinstance(entry, Mapping):
        return str(entry)
    errors: Collection[Any] = entry.get("error_detail") or ()
    details = [f"{one.get('exc_type')}: {one.get('exc_value')}" for one in errors]
    return "\n".join([str(entry.get("event", "")), *details])
