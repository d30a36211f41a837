"""
Seldon's JSON messages: read the rows of a request, and build the response from a function's result.

Source: Seldon Core reference, calling a deployment. A message holds its payload in one of ``data.ndarray``,
``data.tensor``, ``strData``, ``binData`` (base64) and ``jsonData``. The response has the form of the request.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any


class BadMessageError(ValueError):
    """The request is not a message with a payload."""


def rows_of(message: Any) -> Any:
    """
    Return the payload of a message.

    :raises BadMessageError: there is no payload, or its shape contradicts its values.
    """
    if not isinstance(message, Mapping):
        raise BadMessageError("the request is not a JSON object")
    if isinstance(data := message.get("data"), Mapping):
        if isinstance(data.get("ndarray"), list):
            return as_array(data["ndarray"])
        if isinstance(tensor := data.get("tensor"), Mapping):
            return as_array(_nested(list(tensor.get("values") or ()), list(tensor.get("shape") or ())))
    if "strData" in message:
        return message["strData"]
    if "jsonData" in message:
        return message["jsonData"]
    if "binData" in message:
        try:
            return base64.b64decode(message["binData"], validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise BadMessageError("binData is not base64") from None
    raise BadMessageError("there is no payload: send data.ndarray, data.tensor, strData, binData or jsonData")


def answer_of(result: Any, request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message with a function's result, in the form of the request if that fits."""
    plain = as_plain(result)
    if isinstance(plain, bytes):
        payload: dict[str, Any] = {"binData": base64.b64encode(plain).decode()}
    elif isinstance(plain, str):
        payload = {"strData": plain}
    elif not isinstance(plain, list):
        payload = {"jsonData": plain}
    elif "tensor" in (request.get("data") or {}) and (flat := _flattened(plain)) is not None:
        values, shape = flat
        payload = {"data": {"names": [], "tensor": {"shape": shape, "values": values}}}
    else:
        payload = {"data": {"names": [], "ndarray": plain}}
    return {**payload, "meta": {}}


def to_json(answer: Mapping[str, Any]) -> str:
    """
    Return a message as JSON text.

    :raises ValueError: it contains NaN or infinity, which JSON cannot represent (RFC 8259).
    """
    try:
        return json.dumps(answer, allow_nan=False)
    except ValueError:
        problem = "the function returned NaN or infinity, which JSON cannot represent; return None instead"
    raise ValueError(problem)


def as_array(rows: list[Any]) -> Any:
    """Return a numpy array if numpy is installed and the rows have one length; else the rows."""
    try:
        import numpy
    except ImportError:
        return rows
    try:
        return numpy.asarray(rows)
    except ValueError:
        return rows


def as_plain(value: Any) -> Any:
    """Convert arrays and frames to lists and numbers, at any depth."""
    if hasattr(value, "to_numpy"):
        value = value.to_numpy()
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): as_plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return [as_plain(entry) for entry in value]
    return value


def _nested(values: list[Any], shape: list[Any]) -> list[Any]:
    size = 1
    for length in shape:
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise BadMessageError(f"tensor.shape {shape} is not a list of lengths")
        size *= length
    if not shape or size != len(values):
        raise BadMessageError(f"tensor.shape {shape} does not fit {len(values)} values")
    for length in reversed(shape[1:]):
        values = [values[start : start + length] for start in range(0, len(values), length)] if length else []
    return values


def _flattened(rows: list[Any]) -> tuple[list[Any], list[int]] | None:
    """Return the values and the shape of nested lists of numbers; None where they have none."""
    if not any(isinstance(row, list) for row in rows):
        numbers = all(isinstance(row, int | float) for row in rows)
        return (rows, [len(rows)]) if numbers else None
    parts = [_flattened(row) if isinstance(row, list) else None for row in rows]
    shapes = {tuple(part[1]) if part else None for part in parts}
    if len(shapes) != 1 or None in shapes:
        return None
    values = [value for part in parts if part for value in part[0]]
    return values, [len(rows), *(parts[0][1] if parts[0] else [])]
