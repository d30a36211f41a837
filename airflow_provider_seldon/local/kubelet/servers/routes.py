"""The paths of a predictor's service (Seldon Core reference, section 6), as data. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Operation(StrEnum):
    """The operation of a request."""

    PREDICT = "predict"
    FEEDBACK = "feedback"
    METADATA = "metadata"
    STATUS = "status"
    HEALTH = "health"
    DOCS = "docs"
    INFER = "infer"
    MODEL = "model"
    MODEL_READY = "model-ready"
    LIVE = "live"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Route:
    """
    An operation, and the graph unit in its path, if any.

    For an unknown operation, ``takes`` is the allowed method of this path, if any.
    """

    operation: Operation
    unit: str = ""
    takes: str = ""


_UNIT = r"(?P<unit>[^/]+)"
_ROUTES: list[tuple[str, str, Operation]] = [
    ("POST", r"/api/v[01]\.[01]/predictions", Operation.PREDICT),
    ("POST", r"/predict", Operation.PREDICT),
    ("POST", r"/api/v[01]\.[01]/feedback", Operation.FEEDBACK),
    ("GET", rf"/api/v1\.0/metadata(?:/{_UNIT})?", Operation.METADATA),
    ("GET", rf"/api/v1\.0/status(?:/{_UNIT})?", Operation.STATUS),
    ("GET", r"/api/v1\.0/health/(?:status|ping)", Operation.HEALTH),
    ("GET", r"/api/v1\.0/doc(?:/.*)?", Operation.DOCS),
    ("GET", r"/v2/docs(?:/.*)?", Operation.DOCS),
    ("POST", rf"/v2/models(?:/{_UNIT})?(?:/versions/[^/]+)?/infer", Operation.INFER),
    ("GET", rf"/v2/models/{_UNIT}(?:/versions/[^/]+)?/ready", Operation.MODEL_READY),
    ("GET", rf"/v2/models/{_UNIT}(?:/versions/[^/]+)?", Operation.MODEL),
    ("GET", r"/v2/health/(?:live|ready)", Operation.LIVE),
    ("GET", r"/(?:live|ready|ping)", Operation.LIVE),
]


def route(method: str, path: str) -> Route:
    """Return the route of a request to a predictor's service."""
    takes = ""
    for verb, pattern, operation in _ROUTES:
        match = re.fullmatch(pattern + "/?", path)
        if match and (method == verb or (verb == "GET" and method == "HEAD")):
            return Route(operation=operation, unit=match.groupdict().get("unit") or "")
        takes = verb if match else takes
    return Route(operation=Operation.UNKNOWN, takes=takes)


def refusal(target: Route, method: str, path: str) -> tuple[int, str]:
    """Return status and reason of the response to an unknown request."""
    if target.takes:
        return 405, f"{path} takes {target.takes}, not {method}"
    return 404, f"no such path: {path}"
