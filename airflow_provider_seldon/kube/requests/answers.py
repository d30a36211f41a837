"""
Responses of the Kubernetes API, for both halves: typed errors, and the check that a success is a valid one.

A proxy, a login page or a server that is shutting down may answer anything with status 200. That is not a
response of the API; it is detected here, so that the request is retried instead of using it as data.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn

from airflow_provider_seldon.core.resource.undeclared_fields import undeclared_fields
from airflow_provider_seldon.core.resource.unstructured import items_at, mapping_at
from airflow_provider_seldon.core.values.retry_after import retry_after
from airflow_provider_seldon.exceptions import (
    ConflictError,
    ExistsError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
    SeldonError,
    ServerUnavailableError,
    UnauthorizedError,
    UndeclaredFieldsError,
    UnexpectedAnswerError,
)

#: A server-side apply with a field that is not in the schema gets a 500, but a retry does not help
#: (kubernetes/kubernetes, structured merge).
UNTYPED = "failed to create typed patch object"


def parse_answer(body: bytes | str | None, *, action: str) -> dict[str, Any]:
    """
    Return the JSON object in a successful response.

    Every object, list and ``Status`` of the Kubernetes API has a ``kind`` (Kubernetes API conventions, "Types"); the
    items of a list are objects with a name.

    :param action: the request, such as ``GET /apis/...``; starts the message.
    :raises UnexpectedAnswerError: it is something else.
    """
    try:
        answer = json.loads(body or b"")
    except (ValueError, RecursionError):
        raise _unexpected(action, "is not JSON") from None
    if not isinstance(answer, dict):
        raise _unexpected(action, f"is a JSON {type(answer).__name__}, not an object")
    if not isinstance(answer.get("kind"), str):
        raise _unexpected(action, "has no kind")
    if not isinstance(answer.get("metadata", {}), dict | None):
        raise _unexpected(action, "has invalid metadata")
    check_items(answer.get("items"), action=action)
    return answer


def check_items(items: Any, *, action: str) -> None:
    """
    Check the items of a list.

    :raises UnexpectedAnswerError: one is not an object with a name.
    """
    found = [] if items is None else items
    if not isinstance(found, list) or not all(is_named(item) for item in found):
        raise _unexpected(action, "is a list with items that are not Kubernetes objects")


def is_named(item: Any) -> bool:
    """Return whether a value is an object with a name."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return isinstance(name, str) and bool(name)


def _unexpected(action: str, what: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"{action}: the server is not a Kubernetes API, or not at present: the answer {what}. Check the "
        "host and the proxy of the Airflow connection."
    )


def raise_for_status(status: int, body: Any, headers: Mapping[str, str] | None, *, action: str) -> NoReturn:
    """
    Raise the exception for an HTTP response of the Kubernetes API.

    :param body: the response's body; a ``Status`` object if the API server created it.
    :param action: the request, such as ``PATCH /apis/...``; starts the message.
    """
    answer = parse_status(body)
    message = str(answer.get("message") or first_line(body) or _phrase(status))
    reason = str(answer.get("reason") or "")
    raise _error(status, reason, message, dict(mapping_at(answer, "details")), headers or {}, action)


def parse_status(body: Any) -> dict[str, Any]:
    """Return the ``Status`` object in a response's body, or an empty dict."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else body
    try:
        answer = json.loads(text) if isinstance(text, str) else text
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) and answer.get("kind") == "Status" else {}


def _error(
    status: int, reason: str, message: str, details: dict[str, Any], headers: Mapping[str, str], action: str
) -> SeldonError:
    match status:
        case HTTPStatus.UNAUTHORIZED:
            return UnauthorizedError(
                f"{action}: the API server did not accept the credentials of the Airflow connection "
                f"({message})."
            )
        case HTTPStatus.FORBIDDEN:
            return ForbiddenError(
                f"{action}: {message}. Grant the missing permission to the connection's account (RBAC)."
            )
        case HTTPStatus.NOT_FOUND:
            return NotFoundError(f"{action}: {message}")
        case HTTPStatus.CONFLICT:
            return _conflict(reason, message, details, action)
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY | HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return _rejected(message, action)
    if UNTYPED in message:
        return _rejected(message, action)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return ServerUnavailableError(
            f"{action}: {message} (HTTP {status})",
            status=status,
            retry_after=retry_after(
                headers.get("Retry-After") or details.get("retryAfterSeconds"), now=time.time()
            ),
        )
    return SeldonError(f"{action}: {message} (HTTP {status})")


def _rejected(message: str, action: str) -> SeldonError:
    fields = undeclared_fields(message)
    if not fields:
        return RejectedError(f"{action}: {message}")
    return UndeclaredFieldsError(
        f"{action}: {message}. The cluster's version of Seldon Core does not support {', '.join(fields)}; "
        "kubectl create would silently drop that. Remove it, or deploy a manifest with "
        "drop_unknown_fields=True, which drops and logs it.",
        fields=fields,
    )


def _conflict(reason: str, message: str, details: dict[str, Any], action: str) -> SeldonError:
    if reason == "AlreadyExists":
        return ExistsError(f"{action}: {message}")
    causes = [one for one in items_at(details, "causes") if one.get("reason") == "FieldManagerConflict"]
    managers = sorted({_manager(str(cause.get("message", ""))) for cause in causes})
    fields = [str(cause.get("field", "")) for cause in causes]
    if not causes:
        return ConflictError(f"{action}: {message}")
    return ConflictError(
        f"{action}: {', '.join(fields)} belong to {', '.join(managers)}. Agree on one owner, or take the "
        "fields over with force_conflicts=True.",
        managers=managers,
        fields=fields,
    )


def _manager(message: str) -> str:
    """Return the manager in the API server's message ``conflict with "NAME" using VERSION at TIME``."""
    return message.split('"')[1] if message.count('"') >= 2 else message


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unexpected answer"


def first_line(text: Any) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text or "")
    return plain.strip().splitlines()[0][:500] if plain.strip() else ""
