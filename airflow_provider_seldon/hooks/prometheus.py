"""
The hook for Prometheus and for servers with its query API: Thanos, Mimir, VictoriaMetrics.

It reads a connection of type ``http``. It sends nothing before the first query.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_seldon.core.credentials.text import SecretText, basic_authorization, header_token
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.exceptions import ConnectionConfigError
from airflow_provider_seldon.hooks.masking import mask_values

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Connection

    from airflow_provider_seldon.core.analysis.assessment import Assessment
    from airflow_provider_seldon.core.analysis.metrics import TrafficMetric
    from airflow_provider_seldon.core.analysis.readings import Series
    from airflow_provider_seldon.delivery.analysis.prometheus import PrometheusAccess, PrometheusClient

#: Extra fields with a meaning here. Any other string becomes a header, as with Airflow's HttpHook.
_OPTIONS = (
    "headers",
    "bearer_token",
    "verify",
    "client_cert",
    "client_key",
    "timeout",
    "retries",
    "namespace_label",
)
#: Extra fields of HttpHook itself; they are ignored.
_OF_HTTP_HOOK = (
    "stream",
    "proxies",
    "cert",
    "allow_redirects",
    "max_redirects",
    "trust_env",
    "check_response",
    "auth_type",
    "auth_kwargs",
)
#: A header with one of these in its name carries a credential.
_SECRET = ("auth", "token", "key", "secret", "cookie", "password")


class PrometheusHook(BaseHook):
    """
    Queries Prometheus for instant vectors.

    :param prometheus_conn_id: an Airflow connection: ``host`` with or without scheme and path, ``port``,
        ``schema`` (``http`` or ``https``), ``login`` and ``password`` for basic authentication. Its ``extra``
        may hold ``bearer_token``; ``headers``, an object (``X-Scope-OrgID`` of Mimir); ``verify``: true,
        false or the path of a CA bundle; ``client_cert`` and ``client_key``, paths; ``timeout``, seconds
        (10); ``retries`` (2); and ``namespace_label``. Any other string is sent as a header, as with
        ``HttpHook``.
    :param connection: the connection itself, if it has already been fetched.
    """

    conn_name_attr = "prometheus_conn_id"
    default_conn_name = "prometheus_default"
    conn_type = "http"
    hook_name = "Prometheus"

    def __init__(
        self, prometheus_conn_id: str = default_conn_name, *, connection: Connection | None = None
    ) -> None:
        super().__init__()
        self.prometheus_conn_id = prometheus_conn_id
        if connection is not None:
            self.__dict__["connection"] = connection

    @classmethod
    async def in_triggerer(cls, prometheus_conn_id: str) -> PrometheusHook:
        """Return the hook with its connection already read, which must not happen on the event loop."""
        from airflow.providers.common.compat.connection import get_async_connection

        hook = cls(prometheus_conn_id, connection=await get_async_connection(prometheus_conn_id))
        await asyncio.to_thread(lambda: hook.access)  # masking asks Airflow's supervisor
        return hook

    @cached_property
    def connection(self) -> Connection:
        """The Airflow connection."""
        return self.get_connection(self.prometheus_conn_id)

    @cached_property
    def access(self) -> PrometheusAccess:
        """
        How to reach Prometheus; from then on its credentials are masked in every log.

        :raises ConnectionConfigError: the connection cannot be used; the message names the field and quotes
            no value.
        """
        from airflow_provider_seldon.delivery.analysis.prometheus import PrometheusAccess

        extras = self._extras
        problem = ""
        try:
            headers = self._headers(extras)
        except InvalidRequestError as error:
            problem = str(error)
        if problem:
            raise ConnectionConfigError(f"The connection cannot be used: {problem}")
        mask_values(
            value.partition(" ")[2] or value
            for name, value in headers.items()
            if any(word in name.lower() for word in _SECRET)
        )
        return PrometheusAccess(
            url=self._url(),
            headers=headers,
            verify=_verify(extras.get("verify")),
            client_cert=_path(extras, "client_cert"),
            client_key=_path(extras, "client_key"),
            timeout=_number(extras, "timeout", 10.0),
            retries=int(_number(extras, "retries", 2)),
        )

    @property
    def namespace_label(self) -> str:
        """Name of the label in which scraping stores the namespace; empty if there is none."""
        return str(self._extras.get("namespace_label", "namespace") or "")

    @cached_property
    def client(self) -> PrometheusClient:
        """The client; its ``query`` is a coroutine."""
        from airflow_provider_seldon.delivery.analysis.prometheus import PrometheusClient

        return PrometheusClient(self.access)

    def query(self, expression: str, *, at: float | None = None) -> list[Series]:
        """
        Return the instant vector of an expression; for a worker. In an event loop, use ``client.query``.

        :param at: evaluation time in epoch seconds; now when None.
        :raises SeldonError: see ``PrometheusClient.query``.
        """
        return asyncio.run(self.client.query(expression, at=at))

    def assess(
        self,
        metric: TrafficMetric,
        *,
        deployment: str,
        namespace: str,
        predictor: str = "default",
        window: float = 3600.0,
        min_requests: int = 300,
    ) -> Assessment:
        """
        Assess a running version against a metric's absolute limit, for example in a function for
        ``deploy_decision``.

        :param metric: ``ErrorRatio``, ``Latency`` or ``PromQL`` with ``at_most``; there is no baseline to
            compare with.
        :param deployment: name of the SeldonDeployment.
        :param namespace: its namespace.
        :param predictor: name of its predictor.
        :param window: seconds up to now.
        :param min_requests: with fewer requests the result is inconclusive.
        :returns: ``grade``: ``pass``, ``fail``, ``inconclusive``, or ``error`` if Prometheus did not answer;
            with the value and the reason.
        :raises ConnectionConfigError: the connection cannot be used.
        """
        from airflow_provider_seldon.core.analysis.assessment import assess_safety
        from airflow_provider_seldon.core.analysis.queries import Sides
        from airflow_provider_seldon.core.analysis.samples import Sample
        from airflow_provider_seldon.delivery.analysis.measure import measure

        sides = Sides(
            deployment=deployment,
            candidate=predictor,
            namespace=namespace,
            namespace_label=self.namespace_label,
        )
        found = asyncio.run(measure([metric], sides=sides, window=window, query=self.client.query))
        sample = found.get(metric.name, Sample(error=f"{metric.name} is not a Prometheus metric"))
        if metric.at_most is None:
            sample = Sample(error=f"{metric.name} has no at_most, and there is no second version to compare")
        return assess_safety(metric, sample, min_requests=min_requests)

    def get_conn(self) -> PrometheusClient:
        """Return :attr:`client`."""
        return self.client

    def test_connection(self) -> tuple[bool, str]:
        """Query a constant."""
        try:
            self.query("vector(1)")
        except Exception as error:
            return False, str(error)
        return True, "Prometheus answers."

    @cached_property
    def _extras(self) -> dict[str, Any]:
        raw = self.connection.extra
        extras = self.connection.extra_dejson if raw else {}
        if raw and raw.strip() and not isinstance(extras, dict):
            raise ConnectionConfigError("The connection cannot be used: its extra is not a JSON object")
        for name, value in extras.items():
            if name not in (*_OPTIONS, *_OF_HTTP_HOOK) and not isinstance(value, str):
                raise ConnectionConfigError(
                    f"The connection cannot be used: extra field {str(name)[:60]!r} is a "
                    f"{type(value).__name__}; headers are strings"
                )
        return dict(extras)

    def _headers(self, extras: Mapping[str, Any]) -> dict[str, SecretText]:
        given = extras.get("headers") or {}
        if not isinstance(given, Mapping):
            raise InvalidRequestError.of("headers", "is not an object", 'give {"X-Scope-OrgID": "..."}')
        others = {name: value for name, value in extras.items() if name not in (*_OPTIONS, *_OF_HTTP_HOOK)}
        headers = {str(name): _header(str(name), value) for name, value in {**others, **given}.items()}
        login, password = self._login()
        if extras.get("bearer_token"):
            headers["Authorization"] = SecretText(
                f"Bearer {header_token(extras['bearer_token'], 'bearer_token')}"
            )
        elif login:
            headers["Authorization"] = basic_authorization(login, password)
        return headers

    def _login(self) -> tuple[str, str]:
        if self.connection.login:
            return self.connection.login, self.connection.password or ""
        parts = urlsplit(self.connection.host or "")
        return unquote(parts.username or ""), unquote(parts.password or "")

    def _url(self) -> str:
        connection = self.connection
        host = (connection.host or "").strip()
        text = host if "://" in host else f"{connection.schema or 'http'}://{host}"
        problem = ""
        try:
            parts = urlsplit(text)
            name, port = parts.hostname, parts.port or connection.port
        except ValueError:
            problem = "is not a host name or URL"
        else:
            if not name or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
                problem = "is not a host name or http(s) URL"
        if problem:
            raise ConnectionConfigError(
                f"The connection cannot be used: host {problem}; give one such as "
                "https://prometheus.example.com"
            )
        shown = f"[{name}]" if ":" in str(name) else name
        path = parts.path.rstrip("/").removesuffix("/api/v1/query").removesuffix("/api/v1")
        return f"{parts.scheme}://{shown}{f':{port}' if port else ''}{path}"


def _header(name: str, value: Any) -> SecretText:
    text = str(value).strip()
    if not isinstance(value, str | int) or not text.isprintable() or not text.isascii():
        raise InvalidRequestError.of(
            f"header {name[:60]!r}",
            "has characters that are not allowed in an HTTP header",
            "give a string on one line",
        )
    if not name or not all(char.isalnum() or char in "-_." for char in name) or not name.isascii():
        raise InvalidRequestError.of(
            "headers", "has an invalid HTTP header name", "use letters, digits and '-'"
        )
    return SecretText(text)


def _verify(value: Any) -> bool | str:
    if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
        return value.strip().lower() == "true"
    if value is None or isinstance(value, bool | str):
        return True if value is None or value == "" else value
    raise ConnectionConfigError(
        "The connection cannot be used: verify is neither true, false nor the path of a CA bundle"
    )


def _path(extras: Mapping[str, Any], name: str) -> str | None:
    value = extras.get(name)
    if value is not None and not isinstance(value, str):
        raise ConnectionConfigError(f"The connection cannot be used: {name} is not a path")
    return value or None


def _number(extras: Mapping[str, Any], name: str, default: float) -> float:
    try:
        value = float(extras.get(name, default))
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value) or value < 0:
        raise ConnectionConfigError(f"The connection cannot be used: {name} is not a number of at least 0")
    return value


def assess(metric: TrafficMetric, *, prometheus_conn_id: str, **where: Any) -> Assessment:
    """
    Assess a metric of a running version; what a decision is given for it.

    :param prometheus_conn_id: Airflow connection.
    :param where: the arguments of :meth:`PrometheusHook.assess`.
    """
    return PrometheusHook(prometheus_conn_id).assess(metric, **where)
