"""
What an answer of the Kubernetes API means, for both halves: typed errors of bad ones, and whether a good one is one.

A proxy, a login page or a server that is going down may answer anything with status 200. That is no answer of the API,
and is told apart here, so that it is asked for again instead of being taken for data.
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

#: A server-side apply with a field that the schema does not know is answered with 500, but trying it again is
#: no use (kubernetes/kubernetes, structured merge).
UNTYPED = "failed to create typed patch object"


def parse_answer(body: bytes | str | None, *, action: str) -> dict[str, Any]:
    """
    Return the JSON object in a good answer.

    Every object, list and ``Status`` of the Kubernetes API has a ``kind`` (Kubernetes API conventions, "Types"); the
    items of a list are objects with a name.

    :param action: what was tried, such as ``GET /apis/...``; begins the text.
    :raises UnexpectedAnswerError: it is something else.
    """
    try:
        answer = json.loads(body or b"")
    except (ValueError, RecursionError):
        raise _unexpected(action, "is no JSON") from None
    if not isinstance(answer, dict):
        raise _unexpected(action, f"is a JSON {type(answer).__name__}, not an object")
    if not isinstance(answer.get("kind"), str):
        raise _unexpected(action, "has no kind")
    if not isinstance(answer.get("metadata", {}), dict | None):
        raise _unexpected(action, "has metadata that are none")
    check_items(answer.get("items"), action=action)
    return answer


def check_items(items: Any, *, action: str) -> None:
    """
    Look at the items of a list.

    :raises UnexpectedAnswerError: one is no object with a name.
    """
    found = [] if items is None else items
    if not isinstance(found, list) or not all(is_named(item) for item in found):
        raise _unexpected(action, "is a list with items that are no objects of Kubernetes")


def is_named(item: Any) -> bool:
    """Tell whether something is an object with a name."""
    metadata = item.get("metadata") if isinstance(item, dict) else None
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return isinstance(name, str) and bool(name)


def _unexpected(action: str, what: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(
        f"{action}: what answers is no Kubernetes API, or not at present: the answer {what}. Check the host and the "
        "proxy of the Airflow connection."
    )


def raise_for_status(status: int, body: Any, headers: Mapping[str, str] | None, *, action: str) -> NoReturn:
    """
    Raise the exception that an HTTP answer of the Kubernetes API stands for.

    :param body: the answer's body; a ``Status`` object where the API server made it.
    :param action: what was tried, such as ``PATCH /apis/...``; begins the text.
    """
    answer = parse_status(body)
    message = str(answer.get("message") or first_line(body) or _phrase(status))
    reason = str(answer.get("reason") or "")
    raise _error(status, reason, message, dict(mapping_at(answer, "details")), headers or {}, action)


def parse_status(body: Any) -> dict[str, Any]:
    """Return the ``Status`` object in an answer's body, or an empty dict."""
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
        f"{action}: {message}. The cluster's version of Seldon Core does not know {', '.join(fields)}; kubectl create "
        "would drop that without a word. Remove it, or deploy a manifest with drop_unknown_fields=True, which leaves "
        "it out and logs it.",
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
        f"{action}: {', '.join(fields)} belong to {', '.join(managers)}. Agree on one owner, or take the fields "
        "over with force_conflicts=True.",
        managers=managers,
        fields=fields,
    )


def _manager(message: str) -> str:
    """Name the manager in the API server's sentence ``conflict with "NAME" using VERSION at TIME``."""
    return message.split('"')[1] if message.count('"') >= 2 else message


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "unexpected answer"


def first_line(text: Any) -> str:
    plain = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text or "")
    return plain.strip().splitlines()[0][:500] if plain.strip() else ""
