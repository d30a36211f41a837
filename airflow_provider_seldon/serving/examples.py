"""Functions for examples and tests, like those in a user's own module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def load_line(folder: Path) -> dict[str, float]:
    """Read a line's ``slope`` and ``intercept`` from ``line.json``."""
    return dict(json.loads((folder / "line.json").read_text()))


def predict_line(line: dict[str, float], rows: Any) -> list[list[float]]:
    """Return ``slope * x + intercept`` for every number."""
    return [[line["slope"] * float(x) + line["intercept"] for x in row] for row in rows]
