"""
Airflow's stable REST API, version 2: DAGs, tasks and import errors, as documented.

The account needs read access to DAGs and import errors. A DAG that it may not read is unknown, not gone.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_seldon.core.reaping.origin import Origin
from airflow_provider_seldon.exceptions import ConnectionConfigError, UnexpectedAnswerError
from airflow_provider_seldon.hooks.masking import mask_values
from airflow_provider_seldon.hooks.origins.known_dag import KnownDag, broken, gone, unheard_of

if TYPE_CHECKING:
    import requests

#: Seconds for each request.
TIMEOUT = 30.0
#: Import errors per page: by default Airflow's maximum.
PAGE = 100


class RestApi:
    """
    Queries the API server.

    :param conn_id: connection of type ``http``: ``host`` with scheme, and the base path if there is one;
        ``login`` and ``password``, used to request a token, or ``bearer_token`` in its ``extra``; ``verify``
        there is true, false or the path of a CA bundle.
    """

    def __init__(self, conn_id: str) -> None:
        self._conn_id = conn_id

    def dag(self, dag_id: str) -> KnownDag:
        """Return the state of a DAG."""
        path = f"/api/v2/dags/{quote(dag_id, safe='')}"
        found = self._get(path)
        if found is None:
            return unheard_of(dag_id)
        if (found.get("bundle_name"), found.get("relative_fileloc")) in self._broken_files:
            return broken(dag_id)
        if found.get("is_stale"):
            return gone(dag_id)
        tasks = (self._get(f"{path}/tasks") or {}).get("tasks")
        known = frozenset(str(one.get("task_id")) for one in tasks) if isinstance(tasks, list) else None
        return KnownDag(Origin.PRESENT, tasks=known)

    @cached_property
    def _broken_files(self) -> frozenset[tuple[Any, Any]]:
        """Bundle and path of the files that cannot be imported."""
        found: set[tuple[Any, Any]] = set()
        offset = 0
        while True:
            page = self._get(f"/api/v2/importErrors?limit={PAGE}&offset={offset}") or {}
            errors = page.get("import_errors") or []
            found |= {(one.get("bundle_name"), one.get("filename")) for one in errors}
            offset += len(errors)
            if not errors or offset >= int(page.get("total_entries") or 0):
                return frozenset(found)

    def _get(self, path: str) -> dict[str, Any] | None:
        """Return the response to a GET; None if the object does not exist."""
        answer = self._session.get(f"{self._url}{path}", timeout=TIMEOUT)
        if answer.status_code == 404:
            # A 404 of a proxy, or of Airflow 2, must not make a deployment an orphan.
            if not self._is_airflow_3:
                raise UnexpectedAnswerError("the address is not that of Airflow's REST API, version 2")
            return None
        if answer.status_code != 200:
            raise UnexpectedAnswerError(f"Airflow's REST API answers with {answer.status_code}")
        data = answer.json()
        if not isinstance(data, dict):
            raise UnexpectedAnswerError("Airflow's REST API answers with something that is not a JSON object")
        return data

    @cached_property
    def _is_airflow_3(self) -> bool:
        answer = self._session.get(f"{self._url}/api/v2/version", timeout=TIMEOUT)
        told = answer.json() if answer.status_code == 200 else None
        return isinstance(told, dict) and bool(told.get("version"))

    @cached_property
    def _session(self) -> requests.Session:
        import requests

        extra = self._connection.extra_dejson if self._connection.extra else {}
        session = requests.Session()
        session.trust_env = False
        session.verify = extra.get("verify", True)
        token = extra.get("bearer_token") or self._token(session)
        mask_values([str(token)])
        session.headers["Authorization"] = f"Bearer {token}"
        return session

    def _token(self, session: requests.Session) -> str:
        login, password = self._connection.login, self._connection.password
        if not login:
            raise ConnectionConfigError(
                f"Connection {self._conn_id} has neither login and password nor bearer_token in its extra"
            )
        body = {"username": login, "password": password or ""}
        answer = session.post(f"{self._url}/auth/token", json=body, timeout=TIMEOUT)
        token = answer.json().get("access_token") if answer.status_code in (200, 201) else None
        if not token:
            raise UnexpectedAnswerError(f"Airflow issued no token: it answers with {answer.status_code}")
        return str(token)

    @cached_property
    def _url(self) -> str:
        connection = self._connection
        host = (connection.host or "").rstrip("/")
        if not host:
            raise ConnectionConfigError(
                f"Connection {self._conn_id} has no host; give https://airflow.example.com"
            )
        text = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        scheme, _, rest = text.partition("://")
        name, slash, path = rest.partition("/")
        port = f":{connection.port}" if connection.port and ":" not in name else ""
        return f"{scheme}://{name}{port}{slash}{path}"

    @cached_property
    def _connection(self) -> Any:
        return BaseHook.get_connection(self._conn_id)
