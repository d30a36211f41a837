"""
One HTTP request to the Kubernetes API: retries, timeout and typed errors in one place.

It uses the official client's authenticated connection (``kubernetes.client.ApiClient``) for credentials,
their refresh, TLS, proxies and the connection pool. Objects are plain dicts, because a model class would lose
fields that it does not support.

It retries connection failures, 429, 5xx and invalid responses, for requests that are safe to send twice. All
requests of this provider are: reads, server-side apply (the same body has the same effect twice), creation
(the second time reports that the object exists), deletion with a uid precondition. 409 is *never* retried
here: it is a valid response, and the caller decides what it means. After a 401 the credentials are read
again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    wait_random_exponential,
)

from airflow_provider_seldon.core.credentials.text import scrubbed
from airflow_provider_seldon.exceptions import (
    CredentialPluginError,
    SeldonError,
    ServerUnavailableError,
    UnauthorizedError,
)
from airflow_provider_seldon.kube.access.credentials import secrets_of
from airflow_provider_seldon.kube.requests.answers import first_line, parse_answer, raise_for_status

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

log = logging.getLogger(__name__)

#: Content types of the Kubernetes API (Kubernetes documentation, "Update API Objects in Place").
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
#: Media type of a response with only the metadata (Kubernetes API concepts, "Resource transformation").
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

#: Seconds to connect and to wait for the next byte of a response.
REQUEST_TIMEOUT = 30.0
#: Attempts of one request, including the first, and the longest pause between two, in seconds.
ATTEMPTS = 5
LONGEST_PAUSE = 15.0
#: Seconds during which credentials that were accepted before are read again when they are rejected.
RENEWING = 30.0


class Transport:
    """
    Sends requests through an authenticated client.

    :param api_client: client of an Airflow connection; its configuration is not changed.
    :param attempts: minimum attempts of a request that is safe to repeat.
    :param timeout: seconds for connecting and for each read.
    :param patience: seconds for which a request is retried beyond these attempts. Consecutive requests share
        them: while the server stays unavailable, only the first request waits that long.
    :param renew: returns a client with credentials that were read again; None if that is not possible.
    """

    def __init__(
        self,
        api_client: ApiClient,
        *,
        attempts: int = ATTEMPTS,
        timeout: float = REQUEST_TIMEOUT,
        patience: float = 0.0,
        renew: Callable[[], ApiClient] | None = None,
    ) -> None:
        self._api_client = api_client
        self._attempts = attempts
        self._timeout = timeout
        self._patience = patience
        self._renew = renew
        self._accepted = False
        self._away_since: float | None = None

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
    ) -> dict[str, Any]:
        """
        Send one request and return the decoded JSON object.

        :param accept: media type of the response, such as ``METADATA_ONLY``.
        :raises SeldonError: the subclass for the status code.
        """
        answer: dict[str, Any] = self._open(
            method, path, query=query, body=body, content_type=content_type, accept=accept, whole=True
        )
        return answer

    def lines(
        self, path: str, *, query: Mapping[str, Any] | None = None, follow: bool = False
    ) -> Iterator[str]:
        """
        Yield the lines of a plain-text response (a pod's log) as they arrive; empty lines are kept.

        :param follow: wait for further lines without a read timeout, until the server ends the stream.
        :raises ServerUnavailableError: the response stalls or is interrupted, after the lines until then were
            yielded.
        """
        from urllib3.exceptions import HTTPError

        timeout = (self._timeout, None) if follow else (self._timeout, self._timeout)
        raw = self._open("GET", path, query=query, accept="text/plain, */*", timeout=timeout)
        rest = b""
        try:
            for chunk in raw.stream(65536, decode_content=True):
                *complete, rest = (rest + chunk).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in complete)
            if rest:
                yield rest.decode("utf-8", "replace")
        except (HTTPError, OSError) as error:
            raise ServerUnavailableError(
                f"GET {path}: the response was interrupted ({_cause(error)})."
            ) from None
        finally:
            raw.close()

    def _open(self, method: str, path: str, **request: Any) -> Any:
        now = time.monotonic()
        if self._away_since is not None and now - self._away_since > self._patience + LONGEST_PAUSE:
            self._away_since = None  # that was an earlier outage
        spent = now - self._away_since if self._away_since is not None else 0.0
        retrying = Retrying(
            retry=retry_if_exception(_is_transient),
            stop=stop_after_attempt(self._attempts) & stop_after_delay(max(0.0, self._patience - spent)),
            wait=_pause,
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            answer = retrying(self._send_renewed, method, path, **request)
        except SeldonError as error:
            if not _is_transient(error):
                self._away_since = None
            raise
        self._accepted, self._away_since = True, None
        return answer

    def _tell(self, state: RetryCallState) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
        log.warning(
            "%s Attempt %d follows.", state.outcome and state.outcome.exception(), state.attempt_number + 1
        )

    def _send_renewed(self, method: str, path: str, **request: Any) -> Any:
        """
        Send; after a 401 read the credentials again and resend.

        Credentials that were accepted before may be in the middle of a rotation, and get some time for it.
        """
        deadline = time.monotonic() + (RENEWING if self._accepted else 0.0)
        pause = 0.5
        try:
            return self._send(method, path, **request)
        except UnauthorizedError:
            if self._renew is None:
                raise
        while True:
            self._api_client = self._renew()
            try:
                return self._send(method, path, **request)
            except UnauthorizedError:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, RENEWING / 4)

    def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        content_type: str = JSON,
        accept: str = JSON,
        timeout: tuple[float, float | None] | None = None,
        whole: bool = False,
    ) -> Any:
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            # Without preloading, the client neither copies the response to its debug log (a Secret's response
            # contains its data) nor decodes it into classes.
            raw = self._api_client.call_api(
                path,
                method,
                query_params=[(key, value) for key, value in (query or {}).items() if value is not None],
                header_params={"Accept": accept, "Content-Type": content_type},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=timeout or (self._timeout, self._timeout),
            )
            # Read here, because a response may also stall or be interrupted after its headers.
            return parse_answer(raw.data, action=f"{method} {path}") if whole else raw
        except ApiException as error:
            if not error.status:
                raise ServerUnavailableError(f"{method} {path}: {first_line(error.reason)}") from None
            refused = error
        except (HTTPError, OSError) as error:
            raise _unreachable(f"{method} {path}", _cause(error)) from None
        except AttributeError as error:
            # The client decodes the body of every error, and a TLS error has none.
            if not isinstance(error.__context__, ApiException):
                raise
            raise _unreachable(f"{method} {path}", " ".join(str(error.__context__.reason).split())) from None
        # Raised here, because an error that is being handled would be shown as well, with the whole response.
        body = _hidden(refused.body, self._api_client.configuration)
        return raise_for_status(refused.status, body, refused.headers, action=f"{method} {path}")


def _hidden(body: Any, configuration: Configuration) -> str:
    """Return a response without the credentials that were sent, which a server or a proxy may quote."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    return scrubbed(text, secrets_of(configuration))


def _unreachable(action: str, cause: str) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"{action}: the API server could not be reached ({cause}). Check the host, the network and TLS "
        "settings of the Airflow connection."
    )


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, ServerUnavailableError | CredentialPluginError)


def _pause(state: RetryCallState) -> float:
    """Return the seconds that the server requested, else a jittered, growing pause."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ServerUnavailableError) and error.retry_after is not None:
        return error.retry_after
    return wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE)(state) + 0.05


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{type(reason).__name__}: {first_line(str(reason))}"
