"""
Prediction requests and responses: the body in each protocol, and the rows of its response.

Pure conversion of data. It knows the wire formats of the seldon, v2 (Open Inference) and tensorflow
protocols, and nothing about models, URLs or connections. Source: Seldon Core reference, calling a deployment.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.manifest import MAX_DEPTH, json_copy

_V2_DATATYPES = {
    "bool": "BOOL",
    "float16": "FP16",
    "float32": "FP32",
    "float64": "FP64",
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
}


_SENDABLE_FIX = "give text, finite numbers (no NaN), true/false, null, lists and dicts"


class UnexpectedResponseError(ValueError):
    """A model server answered with something that is not a prediction of its protocol."""


def request_body(protocol: str, data: Any) -> dict[str, Any]:
    """
    Return the body of a prediction request.

    :param protocol: ``seldon``, ``v2``, ``kfserving`` or ``tensorflow``.
    :param data: a mapping counts as a complete body and is passed through. Anything else is the input: a list
        of rows, an array or data frame (anything with ``to_numpy`` or ``tolist``), and in the seldon protocol
        also text or bytes.
    :raises InvalidRequestError: the input is empty, ragged, or not representable in JSON.
    """
    if isinstance(data, Mapping):
        return dict(sendable(data, "data"))
    if protocol == "seldon":
        return _seldon_body(data)
    if protocol in ("v2", "kfserving"):
        return _v2_body(data)
    if protocol == "tensorflow":
        return {"instances": _rows(data)}
    raise InvalidRequestError.of(
        "protocol", "Invalid protocol", "use one of seldon, v2, kfserving, tensorflow", value=protocol
    )


def parse_response(protocol: str, payload: Any) -> list[Any]:
    """
    Return the predictions of a response, one item per row of the request.

    Of several v2 outputs it returns the one named ``predict``, else the first. A seldon response that is not
    tabular (``strData``, ``jsonData``, ...) gives its value as a single item, unless that is a list.

    :param payload: the decoded JSON of the response. A null is not a prediction, and neither is
        anything together with ``{"status": {"status": "FAILURE"}}``, whatever the HTTP status.

    :raises UnexpectedResponseError: it has no prediction; the message quotes the server.
    """
    if isinstance(payload, Mapping) and not _reports_failure(payload):
        for rows in _READERS.get(protocol, _seldon_rows)(payload):
            if rows is not None:
                return rows if isinstance(rows, list) else [rows]
    raise UnexpectedResponseError(
        f"The response holds no prediction of the {protocol} protocol: {_told(payload)}"
    )


def _seldon_body(data: Any) -> dict[str, Any]:
    if isinstance(data, str):
        return {"strData": data}
    if isinstance(data, bytes):
        return {"binData": base64.b64encode(data).decode("ascii")}
    names = [str(name) for name in getattr(data, "columns", ())]
    rows = {"ndarray": _rows(data)}
    return {"data": {"names": names, **rows} if names else rows}


def _v2_body(data: Any) -> dict[str, Any]:
    rows = _rows(data)
    shape = _shape(rows)
    values = list(_flat(rows))
    datatype = _V2_DATATYPES.get(str(getattr(data, "dtype", "")), "") or _datatype(values)
    return {"inputs": [{"name": "predict", "shape": shape, "datatype": datatype, "data": values}]}


def _rows(data: Any) -> list[Any]:
    rows = sendable(data, "data")
    if not isinstance(rows, list) or not rows:
        raise InvalidRequestError.of(
            "data",
            "is not a list of rows",
            "give a non-empty list of rows, an array, or a complete body as a dict",
        )
    return rows


def sendable(data: Any, field: str) -> Any:
    """
    Return a copy of values in JSON types: arrays, data frames and NumPy numbers as lists and numbers.

    :param field: name of the argument, for the message.
    :raises InvalidRequestError: names the first value that JSON cannot represent, such as NaN, and its path.
    """
    try:
        return json_copy(_plain(data), field)
    except InvalidRequestError as error:
        (problem,) = error.problems
        raise InvalidRequestError.of(
            problem.field, problem.message.replace("in a Kubernetes manifest", "in JSON"), _SENDABLE_FIX
        ) from None


def _plain(data: Any, depth: int = MAX_DEPTH) -> Any:
    if hasattr(data, "to_numpy"):
        data = data.to_numpy()
    if hasattr(data, "tolist"):
        data = data.tolist()
    if depth and isinstance(data, Mapping):
        return {key: _plain(value, depth - 1) for key, value in data.items()}
    if depth and isinstance(data, list | tuple):
        return [_plain(item, depth - 1) for item in data]
    return data


def not_json(payload: Any, path: str = "") -> str:
    """Return the path of the first number that JSON cannot represent (NaN, infinity); "" for none."""
    if isinstance(payload, float) and not math.isfinite(payload):
        return path or "."
    items: Iterable[tuple[Any, Any]] = ()
    if isinstance(payload, Mapping):
        items = ((f".{key}", value) for key, value in payload.items())
    elif isinstance(payload, list):
        items = ((f"[{index}]", value) for index, value in enumerate(payload))
    return next((found for key, value in items if (found := not_json(value, f"{path}{key}"))), "")


def _reports_failure(payload: Mapping[str, Any]) -> bool:
    status = payload.get("status")
    return isinstance(status, Mapping) and str(status.get("status")).upper() == "FAILURE"


def _shape(rows: Any) -> list[int]:
    if not isinstance(rows, list):
        return []
    shapes = [_shape(row) for row in rows]
    if any(shape != shapes[0] for shape in shapes):
        raise InvalidRequestError.of(
            "data", "its rows are not of one length", "give a rectangular list of rows"
        )
    return [len(rows), *(shapes[0] if shapes else [])]


def _flat(rows: Any) -> Iterator[Any]:
    for item in rows:
        if isinstance(item, list):
            yield from _flat(item)
        else:
            yield item


def _datatype(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values}
    if kinds == {bool}:
        return "BOOL"
    if kinds == {int}:
        return "INT64"
    if kinds <= {int, float}:
        return "FP64"
    if kinds == {str}:
        return "BYTES"
    raise InvalidRequestError.of(
        "data", "mixes values of different kinds", "give only numbers, only texts or only booleans"
    )


def _seldon_rows(payload: Mapping[str, Any]) -> Iterator[Any]:
    data = payload.get("data")
    if isinstance(data, Mapping):
        tensor = data.get("tensor")
        if "ndarray" in data:
            yield data["ndarray"]
        elif isinstance(tensor, Mapping):
            yield _shaped(tensor.get("values"), tensor.get("shape"))
    for key in ("jsonData", "strData", "binData", "customData"):
        if key in payload:
            yield payload[key]


def _v2_rows(payload: Mapping[str, Any]) -> Iterator[Any]:
    given = payload.get("outputs")
    outputs = [output for output in given if isinstance(output, Mapping)] if isinstance(given, list) else []
    for output in sorted(outputs, key=lambda output: output.get("name") != "predict"):
        if "data" in output:
            yield _shaped(output["data"], output.get("shape"))


def _tensorflow_rows(payload: Mapping[str, Any]) -> Iterator[Any]:
    for key in ("predictions", "outputs"):
        if key in payload:
            yield payload[key]


_READERS = {
    "seldon": _seldon_rows,
    "v2": _v2_rows,
    "kfserving": _v2_rows,
    "tensorflow": _tensorflow_rows,
}


def _shaped(values: Any, shape: Any) -> Any:
    """Return flat values as nested lists of ``shape``; values that do not fit stay as they are."""
    if (
        not isinstance(values, list)
        or not isinstance(shape, list)
        or any(isinstance(v, list) for v in values)
    ):
        return values
    if not all(isinstance(size, int) and size > 0 for size in shape) or math.prod(shape) != len(values):
        return values
    for size in reversed(shape[1:]):
        values = [values[start : start + size] for start in range(0, len(values), size)]
    return values


def _told(payload: Any) -> str:
    if isinstance(payload, Mapping):
        status = payload.get("status")
        told = status.get("info") if isinstance(status, Mapping) else payload.get("error")
        if told:
            return str(told)
    return str(payload)[:200]
