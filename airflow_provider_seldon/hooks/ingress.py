"""
Requests to a served model through the ingress gateway.

A gateway lags behind the rollout: the first requests after ``Available`` may still meet 404 or 503 until its
routes are in place (SeldonIO/seldon-core #1461, #3474). So those answers are asked again for a while; an
answer of the model itself, good or bad, is final.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_seldon.core.endpoint import ingress_base
from airflow_provider_seldon.core.errors import InvalidRequestError
from airflow_provider_seldon.exceptions import ConnectionConfigError, PredictionError

log = logging.getLogger(__name__)

#: Answers of a gateway that has no route or no ready backend yet.
GATEWAY_NOT_READY = frozenset({404, 502, 503, 504})
#: Seconds between two tries.
PAUSE = 0.5


@dataclass(frozen=True, kw_only=True)
class Ingress:
    """
    How to reach the ingress gateway.

    :param url: base URL, such as ``https://models.example.com``; a login and password in it are used, but not shown.
    :param login: user of basic authentication.
    :param password: its password.
    :param token: bearer token; excludes ``login``.
    :param verify: check the certificate: True, False, or the path of a CA bundle.
    :param host_header: value of the ``Host`` header, where the gateway routes by it.
    :raises ConnectionConfigError: the URL is none.
    """

    url: str | None = field(default=None, repr=False)
    login: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    verify: bool | str = True
    host_header: str | None = None

    def __post_init__(self) -> None:
        if self.url:
            try:
                ingress_base(self.url)
            except InvalidRequestError as error:
                raise ConnectionConfigError(f"The connection cannot be used: {error}") from None

    def require_url(self) -> str:
        """
        Return the base URL without credentials and without a trailing slash.

        :raises ConnectionConfigError: the connection names no ingress.
        """
        if not self.url:
            raise ConnectionConfigError(
                "The connection has no ingress_url, so there is no way to reach the model. "
                "Add the extra field ingress_url, such as https://models.example.com."
            )
        return ingress_base(self.url)

    def post(
        self, url: str, body: Mapping[str, Any], *, timeout: float = 30.0, retry_for: float = 30.0
    ) -> Any:
        """
        POST a JSON body and return the decoded answer.

        :param timeout: seconds for one request.
        :param retry_for: seconds during which answers of a gateway that is not ready are asked again.
        :raises PredictionError: no answer, an error status, or an answer that is not JSON.
        """
        deadline = time.monotonic() + retry_for
        while True:
            answer, problem = self._send(url, body, timeout)
            if answer is not None and answer.ok:
                return _decoded(answer, url)
            status = answer.status_code if answer is not None else 0
            if time.monotonic() >= deadline or (answer is not None and status not in GATEWAY_NOT_READY):
                raise PredictionError(f"POST {url}: {problem}", status=status)
            log.debug("%s: %s; asking again", url, problem)
            time.sleep(PAUSE)

    def _send(self, url: str, body: Mapping[str, Any], timeout: float) -> tuple[Any, str]:
        import requests

        headers = {"Host": self.host_header} if self.host_header else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        auth = None if self.token else self._login()
        try:
            answer = requests.post(
                url, json=body, headers=headers, auth=auth, timeout=timeout, verify=self.verify
            )
        except requests.RequestException as error:
            return None, f"no answer ({type(error).__name__}: {error})"
        return answer, f"HTTP {answer.status_code}: {answer.text.strip()[:500]}"

    def _login(self) -> tuple[str, str] | None:
        if self.login:
            return self.login, self.password or ""
        parts = urlsplit(self.url or "")
        return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None


def _decoded(answer: Any, url: str) -> Any:
    try:
        return answer.json()
    except ValueError:
        raise PredictionError(
            f"POST {url}: the answer is not JSON: {answer.text.strip()[:200]!r}. Is this the gateway of Seldon Core?",
            status=answer.status_code,
        ) from None
