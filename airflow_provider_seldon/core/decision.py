"""The deploy decision: what a user may pass as ``deploy_decision``, read as yes or no."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.errors import InvalidRequestError

_WORDS = {
    "true": True,
    "yes": True,
    "y": True,
    "1": True,
    "deploy": True,
    "false": False,
    "no": False,
    "n": False,
    "0": False,
    "": None,
    "none": None,
}


def parse_decision(value: Any) -> bool:
    """
    Read a decision that went through a template or an XCom.

    :param value: a bool, 0 or 1, a NumPy bool, or the text of one of them (a rendered template is text).
    :raises InvalidRequestError: it says neither yes nor no; guessing would deploy a model that nobody approved.
    """
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, bool):
        return plain
    if isinstance(plain, int) and plain in (0, 1):
        return bool(plain)
    if isinstance(plain, str) and (known := _WORDS.get(plain.strip().lower())) is not None:
        return known
    raise InvalidRequestError.of(
        "deploy_decision",
        "is neither yes nor no",
        "pass a bool, or a template that renders to True or False; an XCom that was never pushed renders to None",
        value=repr(value)[:80],
    )
