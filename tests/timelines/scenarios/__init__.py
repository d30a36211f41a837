"""Scenarios of our own, as data. Each says in ``lie`` what a naive client would get wrong."""

from __future__ import annotations

from typing import Any

from tests.timelines.scenarios import failures, identity, restless, shapes, status_only, updates

ALL: list[dict[str, Any]] = [
    *updates.SCENARIOS,
    *restless.SCENARIOS,
    *shapes.SCENARIOS,
    *failures.SCENARIOS,
    *identity.SCENARIOS,
    *status_only.SCENARIOS,
]
