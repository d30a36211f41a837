"""
Readers of single user values: each returns the value that the code uses, or reports what is wrong.

``request.argument_rules`` assigns readers to arguments.
"""

from __future__ import annotations

import difflib
import json
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

#: Maximum of a time in seconds: ten years. A longer time is a mistake, and overflows what Airflow stores.
MOST_SECONDS = 10 * 366 * 86400.0
#: Kubernetes stores numbers of pods in 32 bits.
MOST_REPLICAS = 2**31 - 1

#: Kubernetes API concepts, names: a DNS subdomain, and a DNS label.
_SUBDOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
RENDERED = "check its template: did the task before push it"
_NAME_FIX = "use lower-case letters, digits and '-', with a letter or digit at both ends"


class WrongValueError(ValueError):
    """A value is wrong; carries the problem and the fix."""

    def __init__(self, message: str, fix: str, *, shown: Any = None) -> None:
        super().__init__(message)
        self.fix = fix
        self.shown = None if shown is None else str(shown)[:80]


def kind(value: Any) -> str:
    return "None" if value is None else f"a {type(value).__name__}"


def text(value: Any) -> str:
    """Read text that is not empty."""
    if not isinstance(value, str):
        raise WrongValueError(f"is {kind(value)}", "give text")
    if not value.strip():
        raise WrongValueError("is empty", f"give text, or {RENDERED}")
    if value == "None":
        raise WrongValueError("is the text 'None'", RENDERED)
    if value != value.strip() or _CONTROL.search(value):
        # Not shown: a URI may hold a credential.
        raise WrongValueError(
            "has leading or trailing white space, or contains control characters", "remove them"
        )
    return value


def object_name(value: Any) -> str:
    """Read the name of a deployment, whoever created it."""
    name = text(value)
    if not _SUBDOMAIN.match(name):
        raise WrongValueError("is not a valid name of a deployment", _NAME_FIX, shown=name)
    return name


def namespace(value: Any) -> str:
    """Read the name of a namespace."""
    name = text(value)
    if not _LABEL.match(name):
        raise WrongValueError("is not a valid name of a namespace", _NAME_FIX, shown=name)
    return name


def path(value: Any) -> str:
    """Read a path below a deployment's URL."""
    path = text(value)
    if ".." in path.split("?")[0].split("/") or re.search(r"[\s#\\]", path):
        raise WrongValueError(
            "leads out of the deployment", "give a path below the deployment's URL", shown=path
        )
    return path


def _plain(value: Any) -> Any:
    """Return the Python value of a NumPy scalar."""
    return value.item() if hasattr(value, "item") and getattr(value, "ndim", None) == 0 else value


def flag(value: Any) -> bool:
    """Read a boolean. Text is not accepted: "False" would be true."""
    plain = _plain(value)
    if not isinstance(plain, bool):
        raise WrongValueError(f"is {kind(value)}", "give True or False", shown=_shortly(value))
    return plain


def adoption(value: Any) -> bool | str:
    """Read whether to adopt a deployment, and whether also one that cannot be restored."""
    if isinstance(value, str) and value == "irreversibly":
        return "irreversibly"
    try:
        return flag(value)
    except WrongValueError as wrong:
        raise WrongValueError(str(wrong), "give True, False or 'irreversibly'", shown=wrong.shown) from None


def finite(value: Any) -> float:
    """Read a number, or the text of one, which is what a template renders to."""
    plain = _plain(value)
    if isinstance(plain, str) and _NUMBER.match(plain.strip()):
        plain = float(plain)
    if isinstance(plain, bool) or not isinstance(plain, int | float):
        raise WrongValueError(f"is {kind(value)}, not a number", "give a number", shown=_shortly(value))
    try:
        number = float(plain)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise WrongValueError("is not a finite number", "give a finite number", shown=_shortly(value))
    # Unchanged: a trigger's arguments are compared before and after they are stored.
    return value if type(value) in (int, float) else number


def whole(value: Any, least: int, most: int) -> int:
    """Read a whole number; 2.0 is one, and so is the text of one."""
    number = _whole(value)
    if number is None or not least <= number <= most:
        raise WrongValueError(
            f"is not a whole number of {least} or more (and at most {most})",
            "give such a number",
            shown=_shortly(value),
        )
    return number


def _whole(value: Any) -> int | None:
    if isinstance(value, str):
        written = value.strip()
        # Python cannot parse longer numbers.
        return int(written) if written.isascii() and written.isdecimal() and len(written) < 40 else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _shortly(value: Any) -> Any:
    """Return the part of a value that may be shown."""
    return value if value is None or isinstance(value, str | float | bool) else type(value).__name__


def seconds(value: Any, least: float) -> float:
    """Read a time."""
    number = value.total_seconds() if isinstance(value, timedelta) else finite(value)
    if not least <= number <= MOST_SECONDS:
        raise WrongValueError(
            f"is not between {least:g} and {MOST_SECONDS:g} seconds",
            "give seconds, or a timedelta",
            shown=value,
        )
    return number


def replicas(value: Any) -> int:
    """Read a number of pods."""
    return whole(value, 0, MOST_REPLICAS)


def scale(value: Any) -> int | str:
    """Read a number of pods, or ``configured``."""
    if value == "configured" and isinstance(value, str):
        return "configured"
    try:
        return replicas(value)
    except WrongValueError as wrong:
        raise WrongValueError(
            f"{wrong}, nor 'configured'", "give a whole number of 0 or more, or 'configured'"
        ) from None


def tolerance(value: Any) -> float:
    """Read the largest difference that still counts as equal."""
    number = finite(value)
    if number < 0:
        raise WrongValueError("is negative", "give 0 or more", shown=value)
    return number


def mapping(value: Any) -> Mapping[str, Any]:
    """Read name -> value, or JSON text of it, because a template renders to text."""
    decoded = _from_json(value)
    if decoded is None:
        return {}
    if not isinstance(decoded, Mapping):
        raise WrongValueError(f"is {kind(decoded)}", "give a dict of name to value, or JSON text of one")
    for key in decoded:
        if not isinstance(key, str):
            raise WrongValueError(f"has a key that is {kind(key)}", "give text for keys")
    return decoded


def _from_json(value: Any) -> Any:
    """Decode JSON text; JSON's null means "not given", None itself does not."""
    if not isinstance(value, str):
        if value is None:
            raise WrongValueError("is None", "give a dict")
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise WrongValueError(
            "is text, but not JSON", "give a dict; a template needs the filter tojson"
        ) from None


def texts(value: Any) -> list[str]:
    """Read a list of text; a single text, which is a list of letters, is refused."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise WrongValueError(f"is {kind(value)}", "give a list of text")
    for item in value:
        try:
            text(item)
        except WrongValueError as wrong:
            raise WrongValueError(f"has an entry that {wrong}", "give a list of text") from None
    return list(value)


def mappings(value: Any) -> list[Mapping[str, Any]]:
    """Read a list of dicts."""
    if isinstance(value, str | bytes) or not isinstance(value, Sequence):
        raise WrongValueError(f"is {kind(value)}", "give a list of dicts")
    if wrong := [item for item in value if not isinstance(item, Mapping)]:
        raise WrongValueError(f"has an entry that is {kind(wrong[0])}", "give a list of dicts")
    return list(value)


def environment(value: Any) -> Any:
    """Read the environment of a container."""
    decoded = _from_json(value)
    if decoded is None:
        return {}
    if isinstance(decoded, Mapping):
        return mapping(decoded)
    return mappings(decoded)


def probes(value: Any) -> Mapping[str, Any]:
    """Read probes of a container."""
    probes = mapping(value)
    mappings(list(probes.values()))
    return probes


def manifest(value: Any) -> Any:
    """Read a manifest; checks only its type."""
    if isinstance(value, str):
        if not value.strip() or value == "None":
            raise WrongValueError("is empty", f"give a manifest, or {RENDERED}")
        return value
    if not isinstance(value, Mapping):
        raise WrongValueError(f"is {kind(value)}", "give a dict, YAML text, or the path of a .yaml file")
    return value


def one_word_of(*valid: str) -> Callable[[Any], str]:
    """Return a reader for an argument with a fixed set of words."""

    def read(value: Any) -> str:
        if isinstance(value, str) and value in valid:
            return str(value)
        shown = value if isinstance(value, str) else None
        what = "is not a valid value" if isinstance(value, str) else f"is {kind(value)}"
        raise WrongValueError(what, f"use one of {', '.join(valid)}{_near(value, valid)}", shown=shown)

    return read


def _near(value: Any, valid: Iterable[str]) -> str:
    near = difflib.get_close_matches(value.lower(), list(valid), n=1) if isinstance(value, str) else []
    return f"; did you mean {near[0]!r}" if near else ""


def words_of(noun: str, *valid: str) -> Callable[[Any], list[str]]:
    """Return a reader for a list of words from a fixed set."""

    def read(value: Any) -> list[str]:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise WrongValueError(f"is {kind(value)}", f"give a list of {', '.join(valid)}")
        if not value:
            raise WrongValueError("is empty", f"give a list of {', '.join(valid)}")
        if unknown := [str(word) for word in value if word not in valid]:
            raise WrongValueError(
                f"There is no {noun} {', '.join(map(repr, unknown))}; there are {', '.join(valid)}",
                f"use these words{_near(unknown[0], valid)}",
            )
        return list(value)

    return read


def anything(value: Any) -> Any:
    """Read a value that is checked elsewhere."""
    return value
