"""
One HTTP request to the Kubernetes API: retries, time limit and typed errors in one place.

It uses the official client's authenticated connection (``kubernetes.client.ApiClient``) for what that does
well: credentials, their refresh, TLS, proxies, the connection pool. Objects go in and come out as plain
dicts, because a model class that does not know a field would lose it.

What is retried: connection failures, 429 and 5xx, for requests that are safe to send twice. All requests of
this provider are: reads, server-side apply (the same body has the same effect twice), deletion with a uid
precondition. 409 is *never* retried here: it is an answer, and what it means is decided by the caller.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from airflow_provider_seldon.exceptions import (
    ConflictError,
    ExistsError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
    SeldonError,
    ServerUnavailableError,
    UnauthorizedError,
)

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

log = logging.getLogger(__name__)

#: Content types of the Kubernetes API (Kubernetes documentation, "Update API Objects in Place").
JSON = "application/json"
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
#: Form of an answer that leaves out everything but the metadata (Kubernetes API concepts, "Resource transformation").
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

#: A server-side apply with a field that the schema does not know is answered with 500, but trying it again is
#: no use (kubernetes/kubernetes, structured merge).
UNTYPED = "failed to create typed patch object"

#: Seconds to connect and to wait for the next byte of an answer.
REQUEST_TIMEOUT = 30.0
#: Tries of one request, the first included, and the longest pause between two, in seconds.
ATTEMPTS = 5
LONGEST_PAUSE = 15.0


class Transport:
    """
    Sends requests through an authenticated client.

    :param api_client: client made from an Airflow connection; its configuration is not changed.
    :param attempts: tries of one request that is safe to repeat.
    :param timeout: seconds for connecting and for each read.
    """

    def __init__(
        self, api_client: ApiClient, *, attempts: int = ATTEMPTS, timeout: float = REQUEST_TIMEOUT
    ) -> None:
        self._api_client = api_client
        self._attempts = attempts
        self._timeout = timeout

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

        :param accept: form of the answer, such as ``METADATA_ONLY``.
        :raises SeldonError: the subclass that the status code stands for.
        """
        raw = self._open(
            method, path, query=query, body=body, content_type=content_type, accept=accept, whole=True
        )
        answer = json.loads(raw.data or b"{}")
        return answer if isinstance(answer, dict) else {"items": answer}

    def lines(
        self, path: str, *, query: Mapping[str, Any] | None = None, follow: bool = False
    ) -> Iterator[str]:
        """
        Yield the lines of a plain-text answer (a pod's log) as they come; empty lines are kept.

        :param follow: wait for further lines without a read limit, until the server ends the stream.
        :raises ServerUnavailableError: the answer stalls or breaks off; what came until then has been yielded.
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
            raise ServerUnavailableError(f"GET {path}: the answer broke off ({_cause(error)}).") from None
        finally:
            raw.close()

    def _open(self, method: str, path: str, **request: Any) -> Any:
        retrying = Retrying(
            retry=retry_if_exception(_is_transient),
            stop=stop_after_attempt(self._attempts),
            wait=_pause,
            before_sleep=lambda state: log.warning(
                "%s Try %d of %d follows.",
                state.outcome and state.outcome.exception(),
                state.attempt_number + 1,
                self._attempts,
            ),
            reraise=True,
        )
        return retrying(self._send, method, path, **request)

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
            # Without preloading, the client neither copies the answer into its debug log (a Secret's answer
            # holds its data) nor decodes it into classes.
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
            if whole:
                _ = raw.data  # read here, because an answer may also stall or break off after its head
            return raw
        except ApiException as error:
            if not error.status:
                raise ServerUnavailableError(f"{method} {path}: {_first_line(error.reason)}") from None
            raise_for_status(error.status, error.body, error.headers, action=f"{method} {path}")
        except (HTTPError, OSError) as error:
            raise _unreachable(f"{method} {path}", _cause(error)) from None
        except AttributeError as error:
            # The client decodes the body of every error, and an error of TLS has none.
            if not isinstance(error.__context__, ApiException):
                raise
            raise _unreachable(f"{method} {path}", " ".join(str(error.__context__.reason).split())) from None


def _unreachable(action: str, cause: str) -> ServerUnavailableError:
    return ServerUnavailableError(
        f"{action}: the API server could not be reached ({cause}). Check the host, the network and TLS settings of the "
        "Airflow connection."
    )


def raise_for_status(status: int, body: Any, headers: Mapping[str, str] | None, *, action: str) -> NoReturn:
    """
    Raise the exception that an HTTP answer of the Kubernetes API stands for.

    :param body: the answer's body; a ``Status`` object where the API server made it.
    :param action: what was tried, such as ``PATCH /apis/...``; begins the text.
    """
    answer = parse_status(body)
    message = str(answer.get("message") or _first_line(body) or _phrase(status))
    reason = str(answer.get("reason") or "")
    raise _error(status, reason, message, answer.get("details") or {}, headers or {}, action)


def parse_status(body: Any) -> dict[str, Any]:
    """Return the ``Status`` object in an answer's body, or an empty dict."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        answer = json.loads(text) if isinstance(text, str) else text
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _error(
    status: int, reason: str, message: str, details: dict[str, Any], headers: Mapping[str, str], action: str
) -> SeldonError:
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return UnauthorizedError(
                f"{action}: the API server did not accept the credentials of the Airflow connection ({message})."
            )
        case HTTPStatus.FORBIDDEN:
            return ForbiddenError(
                f"{action}: {message}. Grant the missing right to the connection's account (RBAC)."
            )
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(f"{action}: {message}")
        case HTTPStatus.CONFLICT:
            return _conflict(reason, message, details, action)
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return RejectedError(f"{action}: {message}")
    if UNTYPED in message:
        return RejectedError(f"{action}: {message}")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return ServerUnavailableError(
            f"{action}: {message} (HTTP {status})",
            status=status,
            retry_after=_retry_after(headers, details),
        )
    return SeldonError(f"{action}: {message} (HTTP {status})")


def _conflict(reason: str, message: str, details: dict[str, Any], action: str) -> SeldonError:
    if reason == "AlreadyExists":
        return ExistsError(f"{action}: {message}")
    causes = [cause for cause in details.get("causes") or () if cause.get("reason") == "FieldManagerConflict"]
    managers = sorted({_manager(str(cause.get("message", ""))) for cause in causes})
    fields = [str(cause.get("field", "")) for cause in causes]
    if not causes:
        return ConflictError(f"{action}: {message}")
    return ConflictError(
        f"{action}: {', '.join(fields)} belong to {', '.join(managers)}. Agree on one owner, or take the fields "
        "over with force_conflicts=True.",
        managers=managers,
        fields=fields,
    )


def _manager(message: str) -> str:
    """Name the manager in the API server's sentence ``conflict with "NAME" using VERSION at TIME``."""
    return message.split('"')[1] if message.count('"') >= 2 else message


def _is_transient(error: BaseException) -> bool:
    return isinstance(error, ServerUnavailableError)


def _pause(state: RetryCallState) -> float:
    """Return the seconds that the server asked for, else a jittered, growing pause."""
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, ServerUnavailableError) and error.retry_after is not None:
        return min(error.retry_after, LONGEST_PAUSE * 4)
    return wait_random_exponential(multiplier=0.2, max=LONGEST_PAUSE)(state) + 0.05


def _retry_after(headers: Mapping[str, str], details: dict[str, Any]) -> float | None:
    value = headers.get("Retry-After") or details.get("retryAfterSeconds")
    try:
        return float(value) if value is not None else None
    except (TypeError, ValueError):
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unexpected answer"


def _first_line(text: Any) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text or "")
    return plain.strip().splitlines()[0][:500] if plain.strip() else ""


def _cause(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or error
    return f"{type(reason).__name__}: {_first_line(str(reason))}"
