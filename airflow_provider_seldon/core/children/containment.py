"""
Whether one piece of JSON contains another: the operator's object contains all that the user wrote.

Defaults only add fields, so the object must contain everything in the spec, and may contain more. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_seldon.core.children.expected import is_server
from airflow_provider_seldon.core.resource.unstructured import text_at


def missing(wanted: Any, found: Any, path: str = "", *, ignored: frozenset[str] = frozenset()) -> str:
    """
    Return the path of the first value in ``wanted`` that is missing or different in ``found``; empty when
    none.

    Both are JSON. Mappings may have more keys and lists more entries at their end. Empty values count as
    absent, since the operator's types leave them out. ``env`` is compared by name, quantities by value.

    :param ignored: names of further fields that the operator replaces, at any depth.
    """
    if wanted in (None, "", 0, False) or wanted == {} or wanted == []:
        return ""
    if isinstance(wanted, Mapping):
        other = found if isinstance(found, Mapping) else {}
        skipped = _OPERATOR_FIELDS | {"type"} if is_server(wanted) else _OPERATOR_FIELDS
        pairs = [
            (f"{path}.{key}".lstrip("."), key) for key in wanted if key not in skipped and key not in ignored
        ]
        told = (missing(wanted[key], other.get(key), at, ignored=ignored) for at, key in pairs)
        return next((text for text in told if text), "")
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        entries = found if isinstance(found, Sequence) and not isinstance(found, str) else []
        if path.rpartition(".")[2] == "env":
            return _missing_environment(wanted, entries, path)
        if path.rpartition(".")[2] in ("args", "command"):
            return "" if list(wanted) == list(entries) else path
        padded = [*entries, *[None] * len(wanted)]
        told = (missing(one, padded[i], f"{path}[{i}]", ignored=ignored) for i, one in enumerate(wanted))
        return next((text for text in told if text), "")
    return "" if wanted == found or (_may_be_quantity(path) and _same_quantity(wanted, found)) else path


#: Fields that the operator sets or overwrites; a server's ``type`` as well.
_OPERATOR_FIELDS = frozenset({"endpoint", "creationTimestamp", "volumeMounts", "ports"})


def _missing_environment(wanted: Sequence[Any], found: Sequence[Any], path: str) -> str:
    by_name = {text_at(entry, "name"): entry for entry in found if isinstance(entry, Mapping)}
    for entry in wanted:
        name = text_at(entry, "name")
        if name.startswith("PREDICTIVE_UNIT_"):  # the operator's own
            continue
        if missing(entry, by_name.get(name)):
            return f"{path} {name}".strip()
    return ""


_SUFFIXES = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "": Decimal(1),
    "k": Decimal("1e3"), "M": Decimal("1e6"), "G": Decimal("1e9"), "T": Decimal("1e12"), "P": Decimal("1e15"),
    "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40), "Pi": Decimal(2**50),
}  # fmt: skip


def _may_be_quantity(path: str) -> bool:
    return ".parameters" not in path and ".env" not in path


def _same_quantity(one: Any, other: Any) -> bool:
    first, second = _quantity(one), _quantity(other)
    return first is not None and first == second


def _quantity(value: Any) -> Decimal | None:
    text = str(value)
    number = text.rstrip("numkMGTPi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return None
