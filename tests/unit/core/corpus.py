"""Real SeldonDeployments to try the code on, where this machine has them; never part of the repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

_REPOSITORY = Path(__file__).resolve().parents[3]


def directory() -> Path | None:
    """Return the directory of the corpus, or None."""
    given = os.environ.get("SELDON_CORPUS")
    candidate = Path(given) if given else _REPOSITORY.parent / "shared" / "corpus"
    return candidate if candidate.is_dir() else None


def files(pattern: str) -> list[Path]:
    """Return the files of the corpus that match; none without a corpus."""
    root = directory()
    return sorted(root.glob(pattern)) if root else []


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal, and of equal types all the way down (1 is not 1.0 or True)."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)
