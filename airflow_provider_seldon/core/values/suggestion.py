"""The nearest valid name for a misspelled one."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from airflow_provider_seldon.core.credentials.words import words
from airflow_provider_seldon.core.invalid_request import Problem


def unknown(field: str, name: str, valid: Collection[str], *, noun: str = "argument") -> Problem:
    """Return the problem of a name that is not in ``valid``, and suggest the nearest one."""
    near = nearest(name, valid)
    fix = f"did you mean {near!r}" if near else f"valid are {', '.join(sorted(valid))}"
    return Problem(field, f"unknown {noun} {name!r}", fix)


def nearest(name: str, valid: Collection[str]) -> str | None:
    """Return the valid name that a name resembles, None when there is none."""
    # Without case and separators, "modelUri" and "model_uri" are the same.
    squeezed = {"".join(words(candidate)): candidate for candidate in valid}
    near = difflib.get_close_matches("".join(words(name)), squeezed, n=1, cutoff=0.55)
    if near:
        return squeezed[near[0]]
    parts = set(words(name))  # "container_image" contains "image"
    return next((candidate for candidate in sorted(valid) if set(words(candidate)) <= parts), None)
