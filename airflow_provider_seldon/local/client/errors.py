"""The error of a refused request."""

from __future__ import annotations


class ApiError(Exception):
    """The API server refused a request: HTTP status, and reason and message of its ``Status`` object."""

    def __init__(self, *, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Whether the resource version is stale (and not that the object already exists)."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def gone(self) -> bool:
        """Whether the requested resource version is too old: list again (Kubernetes API concepts, 410)."""
        return self.status == 410 or self.reason in ("Expired", "Gone")
