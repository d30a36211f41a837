"""
Metrics of a model: parsed from a user's argument, and recorded on the deployment with a time.

Plain numbers by name. A number that is not finite is not recorded: JSON has no NaN, and a diverged training
must not be the reference for the next candidate.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from airflow_provider_seldon.core.invalid_request import InvalidRequestError


@dataclass(frozen=True, kw_only=True)
class RecordedMetrics:
    """
    Metrics as recorded on a deployment.

    :param values: name -> number.
    :param at: when they were recorded; None when that is not known.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    at: datetime | None = None

    def to_json(self) -> str:
        """Return the annotation's value; "" when there is nothing to record."""
        finite = {name: value for name, value in sorted(self.values.items()) if math.isfinite(value)}
        if not finite:
            return ""
        at = self.at.astimezone(UTC).isoformat(timespec="seconds") if self.at else None
        return json.dumps({"at": at, "values": finite})

    @classmethod
    def from_json(cls, text: str | None) -> RecordedMetrics:
        """Parse an annotation's value; an unreadable one counts as not recorded."""
        try:
            data = json.loads(text or "null")
            given = {str(name): float(value) for name, value in data["values"].items()}
            values = {name: value for name, value in given.items() if math.isfinite(value)}
            return cls(values=values, at=datetime.fromisoformat(data["at"]) if data.get("at") else None)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
            return cls()


def parse_metrics(given: Any) -> dict[str, float]:
    """
    Parse metrics from a template or an XCom.

    :param given: name -> number, or its JSON text; None or "" for none.
    :raises InvalidRequestError: it is something else; the message names the metric.
    """
    if given is None or given == "":
        return {}
    data = given
    if isinstance(given, str):
        try:
            data = json.loads(given)
        except (ValueError, RecursionError):
            data = None
    if not isinstance(data, Mapping):
        raise InvalidRequestError.of(
            "metrics",
            "is neither a dict nor JSON text of one",
            "pass name -> number; with render_template_as_native_obj=False a template needs the filter "
            "tojson",
            value=repr(given)[:80],
        )
    return {str(name): _number(name, value) for name, value in data.items()}


def _number(name: Any, value: Any) -> float:
    try:
        # Python reads 1_0 as ten, and True as one; neither is a metric.
        if isinstance(value, bool) or (isinstance(value, str) and "_" in value):
            raise ValueError(value)
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise InvalidRequestError.of(
            f"metrics.{name}", "is not a number", "pass numbers only", value=repr(value)[:80]
        ) from None
