"""The errors of a Kubernetes API server: HTTP codes, reasons and the ``Status`` body that carries them.

Purpose: one exception, :class:`StatusError`, that every part of the local API server raises and that the
request handler turns into a response. The wording follows the Kubernetes API ("Response Status Kind" of the
API conventions), because clients and people match on it. This module does not decide *when* an error occurs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

OPTIMISTIC_LOCK = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class StatusError(Exception):
    """
    A failed request, with the error for the client.

    :param code: HTTP status code.
    :param reason: CamelCase word of the Kubernetes API (``NotFound``, ``Conflict``, ...); may be empty.
    :param message: The readable message.
    :param details: ``Status.details`` (name, group, kind, uid, causes, retryAfterSeconds).
    :param continue_token: A token for the next page, sent as ``Status.metadata.continue``.
    """

    def __init__(
        self,
        *,
        code: int,
        reason: str,
        message: str,
        details: Mapping[str, Any] | None = None,
        continue_token: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = None if details is None else dict(details)
        self.continue_token = continue_token

    def body(self) -> dict[str, Any]:
        """Return the ``v1.Status`` object of this error."""
        body: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {"continue": self.continue_token} if self.continue_token else {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            body["reason"] = self.reason
        if self.details is not None:
            body["details"] = self.details
        body["code"] = self.code
        return body


def success(*, name: str = "", group: str = "", kind: str = "", uid: str = "") -> dict[str, Any]:
    """Return the ``v1.Status`` of a completed delete."""
    details = {
        key: value for key, value in (("name", name), ("group", group), ("kind", kind), ("uid", uid)) if value
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        **({"details": details} if details else {}),
    }


def _qualified(group: str, resource: str) -> str:
    return f"{resource}.{group}" if group else resource


def _details(group: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    named = (("name", name), ("group", group), ("kind", kind))
    return {key: value for key, value in named if value} | {k: v for k, v in more.items() if v}


def cause(*, reason: str, message: str, field: str = "") -> dict[str, str]:
    """Return one entry of ``details.causes``, in the format of field errors."""
    return {"reason": reason, "message": message} | ({"field": field} if field else {})


def bad_request(message: str) -> StatusError:
    """400: the request itself cannot be understood."""
    return StatusError(code=400, reason="BadRequest", message=message)


def unauthorized(message: str = "Unauthorized") -> StatusError:
    """401: no valid credentials."""
    return StatusError(code=401, reason="Unauthorized", message=message)


def forbidden(*, group: str, resource: str, name: str, why: str) -> StatusError:
    """403: the user is known but may not do this."""
    subject = _qualified(group, resource) + (f' "{name}"' if name else "")
    return StatusError(
        code=403,
        reason="Forbidden",
        message=f"{subject} is forbidden: {why}",
        details=_details(group, resource, name),
    )


def not_found(*, group: str, resource: str, name: str) -> StatusError:
    """404: the resource is served, the object does not exist."""
    return StatusError(
        code=404,
        reason="NotFound",
        message=f'{_qualified(group, resource)} "{name}" not found',
        details=_details(group, resource, name),
    )


class NoSuchPathError(Exception):
    """404 without a ``Status``: nothing is served at this path (an unknown resource, for example)."""


def method_not_allowed(message: str, *, group: str = "", resource: str = "") -> StatusError:
    """405: the resource does not support this verb."""
    details = _details(group, resource, "") or None
    return StatusError(code=405, reason="MethodNotAllowed", message=message, details=details)


def already_exists(*, group: str, resource: str, name: str, deleting: bool = False) -> StatusError:
    """409 AlreadyExists; ``deleting`` means that the existing object is being deleted."""
    prefix = "object is being deleted: " if deleting else ""
    return StatusError(
        code=409,
        reason="AlreadyExists",
        message=f'{prefix}{_qualified(group, resource)} "{name}" already exists',
        details=_details(group, resource, name),
    )


def conflict(*, group: str, resource: str, name: str, why: str = OPTIMISTIC_LOCK) -> StatusError:
    """409 Conflict: a precondition (resource version, uid) does not hold."""
    return StatusError(
        code=409,
        reason="Conflict",
        message=f'Operation cannot be fulfilled on {_qualified(group, resource)} "{name}": {why}',
        details=_details(group, resource, name),
    )


def expired(message: str, *, continue_token: str = "") -> StatusError:
    """410: the requested history is gone; list again."""
    return StatusError(code=410, reason="Expired", message=message, continue_token=continue_token)


def unsupported_media_type(allowed: Sequence[str]) -> StatusError:
    """415: the request does not support the media type of the body."""
    return StatusError(
        code=415,
        reason="UnsupportedMediaType",
        message=(
            "the body of the request was in an unknown format - "
            f"accepted media types include: {', '.join(allowed)}"
        ),
    )


def invalid(*, group: str, kind: str, name: str, causes: Sequence[Mapping[str, str]]) -> StatusError:
    """422: the object breaks rules; each cause is ``reason``, ``message`` and ``field``."""
    sentences = list(dict.fromkeys(f"{item['field']}: {item['message']}" for item in causes))
    text = sentences[0] if len(sentences) == 1 else f"[{', '.join(sentences)}]"
    return StatusError(
        code=422,
        reason="Invalid",
        message=f'{_qualified(group, kind)} "{name}" is invalid' + (f": {text}" if causes else ""),
        details=_details(group, kind, name, causes=list(causes)),
    )


def unprocessable() -> StatusError:
    """422 for a JSON patch that does not fit the object. The server does not report why."""
    return StatusError(
        code=422,
        reason="Invalid",
        message="the server rejected our request due to an error in our request",
        details={},
    )


def internal_error(message: str) -> StatusError:
    """500 with the reason ``InternalError``."""
    return StatusError(
        code=500,
        reason="InternalError",
        message=f"Internal error occurred: {message}",
        details={"causes": [{"message": message}]},
    )


def plain_error(message: str) -> StatusError:
    """500 without a reason, as for errors for which the server has no type."""
    return StatusError(code=500, reason="", message=message)


def resource_version_too_large(*, requested: int, current: int) -> StatusError:
    """504: the client requests a resource version that does not exist yet."""
    return StatusError(
        code=504,
        reason="Timeout",
        message=f"Timeout: Too large resource version: {requested}, current: {current}",
        details={
            "retryAfterSeconds": 1,
            "causes": [cause(reason="ResourceVersionTooLarge", message="Too large resource version")],
        },
    )
