"""Checks of values against a structural schema, with the messages of the Kubernetes API server.

Purpose: two kinds of check that a real server makes of custom resources. :func:`validate` checks the object
that will be stored (types, required fields, duplicate keys; the response is a 422). :func:`typed_errors`
checks an applied configuration before it is merged (unknown fields, types, duplicate keys; the response is a
plain 500, independent of ``fieldValidation``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.structural import Type
from airflow_provider_seldon.local.apiserver.protocol import status

Causes = list[dict[str, str]]

_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|"
    r"([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
_QUANTITY_PATTERN = re.compile(_QUANTITY)
_NAMES: Mapping[str, str] = {
    "struct": "object",
    "map": "object",
    "list": "array",
    "str": "string",
    "int": "integer",
    "long": "integer",
    "num": "number",
    "bool": "boolean",
    "quantity": "integer,string",
    "port": "integer,string",
}


def json_type(value: Any) -> str:
    """Return the name of a value's JSON type, as printed in messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "integer" if value.is_integer() else "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def validate(schema: Type, value: Any, path: str = "", *, cut: int = 0) -> Causes:
    """
    Return every place where a value breaks its schema.

    :param path: Path of the value.
    :param cut: Number of leading characters of a path to omit from the message (the status is checked
        separately).
    """
    return list(_validate(schema, value, path, cut))


def _validate(schema: Type, value: Any, path: str, cut: int) -> Iterator[dict[str, str]]:
    if schema.kind == "any":
        return
    expected, actual = _NAMES[schema.kind], json_type(value)
    if actual not in expected.split(",") and (expected, actual) != ("number", "integer"):
        yield _wrong_type(path, expected, actual, cut)
    elif schema.kind == "quantity" and isinstance(value, str) and not _QUANTITY_PATTERN.match(value):
        yield status.cause(
            reason="FieldValueInvalid",
            message=f"Invalid value: \"{value}\": {path[cut:]} in body should match '{_QUANTITY}'",
            field=path,
        )
    elif schema.kind == "struct":
        yield from _validate_struct(schema, value, path, cut)
    elif schema.kind == "map" and schema.element is not None:
        for key, child in value.items():
            yield from _validate(schema.element, child, f"{path}.{key}", cut)
    elif schema.kind == "list" and schema.element is not None:
        for position, child in enumerate(value):
            yield from _validate(schema.element, child, f"{path}[{position}]", cut)
        yield from _duplicates(schema, value, path)


def _validate_struct(schema: Type, value: Mapping[str, Any], path: str, cut: int) -> Iterator[dict[str, str]]:
    for key, known in schema.fields.items():
        where = f"{path}.{key}" if path else key
        if known.required and value.get(key) is None:
            yield status.cause(reason="FieldValueRequired", message="Required value", field=where)
        elif key in value and not (known.nullable and value[key] is None):
            yield from _validate(known.type, value[key], where, cut)


def _wrong_type(path: str, expected: str, actual: str, cut: int) -> dict[str, str]:
    return status.cause(
        reason="FieldValueTypeInvalid",
        message=f'Invalid value: "{actual}": {path[cut:]} in body must be of type {expected}: "{actual}"',
        field=path,
    )


def _duplicates(schema: Type, items: list[Any], path: str) -> Iterator[dict[str, str]]:
    seen: set[str] = set()
    for position, item in enumerate(items):
        if not schema.keys or not isinstance(item, dict):
            continue
        key = json.dumps({name: item[name] for name in schema.keys if name in item}, separators=(",", ":"))
        if key in seen:
            yield status.cause(
                reason="FieldValueDuplicate", message=f"Duplicate value: {key}", field=f"{path}[{position}]"
            )
        seen.add(key)


def replicas_causes(manifest: Mapping[str, Any]) -> Causes:
    """Return the errors of ``spec.replicas`` and ``status.replicas`` as the source of a scale."""
    causes: Causes = []
    for part in ("spec", "status"):
        holder = manifest.get(part)
        value = holder.get("replicas") if isinstance(holder, Mapping) else None
        path = f".{part}.replicas"
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            kind = {"float": "float64", "str": "string", "bool": "bool"}.get(type(value).__name__, "object")
            shown = f"{value:g}" if isinstance(value, float) else value
            message = (
                f"Invalid value: 0: {path} accessor error: {shown} is of the type {kind}, expected int64"
            )
        elif value < 0:
            message = f"Invalid value: {value}: should be a non-negative integer"
        elif value > 2**31 - 1:
            message = f"Invalid value: {value}: should be less than or equal to {2**31 - 1}"
        else:
            continue
        causes.append(status.cause(reason="FieldValueInvalid", message=message, field=path))
    return causes


def typed_errors(schema: Type, value: Any) -> str:
    """Return the errors of an applied configuration; empty if it is valid."""
    problems = sorted(_typed(schema, value, ""))
    if len(problems) > 1:
        return "errors:\n" + "\n".join(f"  {problem}" for problem in problems)
    return problems[0] if problems else ""


def _typed(schema: Type, value: Any, path: str) -> Iterator[str]:
    if value is None or schema.kind == "any":
        return
    if schema.kind in ("struct", "map"):
        if not isinstance(value, dict):
            yield f"{path}: expected map, got &{{{_go(value)}}}"
            return
        for key, child in value.items():
            if schema.kind == "map" and schema.element is not None:
                yield from _typed(schema.element, child, f"{path}.{key}")
            elif key not in schema.fields:
                yield f"{path}.{key}: field not declared in schema"
            else:
                yield from _typed(schema.fields[key].type, child, f"{path}.{key}")
    elif schema.kind == "list":
        yield from _typed_list(schema, value, path)
    elif not _fits(schema.kind, value):
        number = "expected numeric (int or float), got " + json_type(value)
        text = f"expected {_NAMES[schema.kind]}, got &value.valueUnstructured{{Value:{_go_syntax(value)}}}"
        yield f"{path}: {number if schema.kind in ('int', 'long', 'num') else text}"


def _typed_list(schema: Type, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: expected list, got &{{{_go(value)}}}"
        return
    seen: set[str] = set()
    for position, item in enumerate(value):
        where = f"{path}[{position}]"
        if schema.keys and isinstance(item, dict):
            names = sorted(name for name in schema.keys if name in item or _key_default(schema, name))
            key = ",".join(f"{n}={json.dumps(item.get(n, _key_default(schema, n)))}" for n in names)
            where = f"{path}[{key}]"
            if key in seen:
                yield f"{path}: duplicate entries for key [{key}]"
            seen.add(key)
        if schema.element is not None:
            yield from _typed(schema.element, item, where)


def _key_default(schema: Type, name: str) -> str | None:
    known = schema.element.fields.get(name) if schema.element else None
    return known.default if known else None


def _fits(kind: str, value: Any) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind in ("int", "long", "num"):
        return number
    if kind == "bool":
        return isinstance(value, bool)
    if kind == "str":
        return isinstance(value, str)
    return not isinstance(value, (dict, list))


def _go(value: Any) -> str:
    """Return a value in Go's printed form."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go(child)}" for key, child in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go(child) for child in value) + "]"
    return json.dumps(value) if isinstance(value, bool) else str(value)


def _go_syntax(value: Any) -> str:
    """Return a value in Go's syntax."""
    if isinstance(value, dict):
        inner = ", ".join(f"{json.dumps(key)}:{_go_syntax(child)}" for key, child in sorted(value.items()))
        return f"map[string]interface {{}}{{{inner}}}"
    if isinstance(value, list):
        return f"[]interface {{}}{{{', '.join(_go_syntax(child) for child in value)}}}"
    return json.dumps(value)
