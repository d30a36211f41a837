"""
Requests to a model server through the ingress gateway.

A gateway lags behind the rollout: the first requests after ``Available`` may still get 404 or 503 until its
routes are in place (SeldonIO/seldon-core #1461, #3474). So requests with these answers are retried for a
while; an answer of the model itself, good or bad, is final.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from airflow_provider_seldon.core.credentials.text import (
    SecretText,
    basic_authorization,
    header_token,
    scrubbed,
)
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.endpoint import ingress_base
from airflow_provider_seldon.delivery.gateway.gateway_request import (
    GatewayAnswer,
    GatewayRequest,
    GatewayRequestError,
)
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

    :param url: base URL, such as ``https://models.example.com``; login and password in it are used, but not
        shown.
    :param login: user of basic authentication.
    :param password: its password.
    :param token: bearer token; excludes ``login``. White space around it is removed.
    :param verify: check the certificate: True, False, or the path of a CA bundle.
    :param host_header: value of the ``Host`` header, if the gateway routes by it.
    :raises ConnectionConfigError: the URL is invalid, or a credential cannot be sent in a header.
    """

    url: str | None = field(default=None, repr=False)
    login: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    verify: bool | str = True
    host_header: str | None = None

    def __post_init__(self) -> None:
        for name in ("url", "login", "password"):
            value = getattr(self, name)
            object.__setattr__(self, name, SecretText(value) if value else None)
        problem = ""
        try:
            if self.url:
                ingress_base(self.url)
            token = header_token(self.token, "ingress_token") if self.token else None
            object.__setattr__(self, "token", token)
            if self.host_header and not self.host_header.isascii():
                raise InvalidRequestError.of("ingress_host_header", "is not ASCII", "give a host name")
            if self.host_header:
                host = str(header_token(self.host_header, "ingress_host_header"))
                object.__setattr__(self, "host_header", host)
        except InvalidRequestError as error:
            problem = str(error)
        if problem:
            raise ConnectionConfigError(f"The connection cannot be used: {problem}")

    def require_url(self) -> str:
        """
        Return the base URL without credentials and without a trailing slash.

        :raises ConnectionConfigError: the connection has no ``ingress_url``.
        """
        if not self.url:
            raise ConnectionConfigError(
                "The connection has no ingress_url, so the model cannot be reached. "
                "Add the extra field ingress_url, such as https://models.example.com."
            )
        return ingress_base(self.url)

    def post(
        self, url: str, body: Mapping[str, Any], *, timeout: float = 30.0, retry_for: float = 30.0
    ) -> Any:
        """
        POST a JSON body and return the decoded answer.

        :param timeout: seconds for one request, from connecting to the last byte of the answer.
        :param retry_for: seconds during which the request is retried while the gateway is not ready.
        :raises PredictionError: no answer, one larger than 32 MiB, an error status, a redirect to another host, or an
            answer that is not JSON.
        """
        deadline = time.monotonic() + retry_for
        while True:
            answer, problem, final = self._send(url, body, timeout)
            if answer is not None and 200 <= answer.status < 300:
                return self._decoded(answer, url)
            status = answer.status if answer is not None else 0
            if final or time.monotonic() >= deadline or (answer and status not in GATEWAY_NOT_READY):
                raise PredictionError(f"POST {url}: {problem}", status=status)
            log.debug("%s: %s; retrying", url, problem)
            time.sleep(PAUSE)

    def _send(
        self, url: str, body: Mapping[str, Any], timeout: float
    ) -> tuple[GatewayAnswer | None, str, bool]:
        """Return the answer if there is one, its problem, and whether a retry would give the same."""
        request = GatewayRequest(
            url=url,
            body=body,
            authorization=self._authorization(),
            verify=self.verify,
            headers={"Host": self.host_header} if self.host_header else {},
        )
        try:
            answer = request.send(timeout)
        except GatewayRequestError as error:
            return None, self._scrubbed(str(error)), error.final
        if answer.elsewhere:
            told = self._scrubbed(
                f"HTTP {answer.status}: the gateway redirects to {answer.elsewhere}, and nothing is sent to "
                "another host or port. If that is the gateway, set ingress_url in the connection to it."
            )
            return answer, told, True
        return answer, f"HTTP {answer.status}: {self._quoted(answer, 500)}", False

    def _authorization(self) -> SecretText | None:
        """Return the Authorization header."""
        if self.token:
            return SecretText(f"Bearer {self.token}")
        login = self._login()
        return basic_authorization(*login) if login else None

    def _login(self) -> tuple[str, str] | None:
        if self.login:
            return self.login, self.password or ""
        parts = urlsplit(self.url or "")
        return (unquote(parts.username), unquote(parts.password or "")) if parts.username else None

    def _decoded(self, answer: GatewayAnswer, url: str) -> Any:
        try:
            return json.loads(answer.body)
        except (ValueError, RecursionError):
            problem = (
                f"the answer is not JSON: {self._quoted(answer, 200)!r}. Is this the gateway of Seldon Core?"
            )
        raise PredictionError(f"POST {url}: {problem}", status=answer.status)

    def _quoted(self, answer: GatewayAnswer, characters: int) -> str:
        """Return the beginning of an answer; it may quote our request."""
        text = answer.body[: 8 * characters].decode("utf-8", "replace").strip()
        return self._scrubbed(text)[:characters]

    def _scrubbed(self, text: str) -> str:
        return scrubbed(text, self._secrets())

    def _secrets(self) -> Iterator[str]:
        authorization = self._authorization()
        if authorization:
            yield authorization
        if self.password:
            yield self.password
