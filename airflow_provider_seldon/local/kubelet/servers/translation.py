"""Convert Seldon's JSON to the open inference protocol (v2) and back. Pure.

Seldon's own prepackaged servers use Seldon's protocol; here MLServer replaces them. Shapes and names are
those of these servers: Seldon Core reference, sections 4 and 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig


class BadRequestError(ValueError):
    """A body that Seldon's server would refuse."""


def to_v2(body: Mapping[str, Any], *, outputs: Sequence[str] = ()) -> Manifest:
    """The inference request for a Seldon message.

    :param outputs: names of the outputs to request; none requests the server's default
    :raises BadRequestError: there is no tabular data in it
    """
    data = body.get("data")
    if not isinstance(data, Mapping):
        raise BadRequestError("request has no data: send data.ndarray or data.tensor")
    if data.get("tensor"):
        shape = [int(size) for size in data["tensor"].get("shape") or []]
        flat = list(data["tensor"].get("values") or [])
    elif "ndarray" in data:
        shape, flat = _flatten(data["ndarray"])
    else:
        raise BadRequestError("request has neither data.ndarray nor data.tensor")
    if len(shape) == 1:  # one row
        shape = [1, *shape]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in flat)
    tensor = {"name": "predict", "shape": shape, "datatype": "FP64" if numbers else "BYTES", "data": flat}
    request: Manifest = {"inputs": [tensor]}
    if outputs:
        request["outputs"] = [{"name": name} for name in outputs]
    return request


def from_v2(answer: Mapping[str, Any], *, request: Mapping[str, Any], booster: bool = False) -> Manifest:
    """The Seldon message for an inference response, in the form of the request (ndarray or tensor).

    :param request: the Seldon message that was answered
    :param booster: respond like an XGBoost booster: of two classes only the probability of the second
    """
    output = dig(answer, "outputs", 0, default={})
    shape = [int(size) for size in output.get("shape") or []]
    flat = _flatten(output.get("data") or [])[1]
    if booster and len(shape) == 2 and shape[1] == 2:
        shape, flat = shape[:1], flat[1::2]
    if len(shape) == 2 and shape[1] == 1 and output.get("name") == "predict":
        shape = shape[:1]  # MLServer returns a column where Seldon's servers return a list
    data: Manifest = {"names": [f"t:{index}" for index in range(shape[1])] if len(shape) > 1 else []}
    if dig(request, "data", "tensor"):
        data["tensor"] = {"shape": shape, "values": flat}
    else:
        data["ndarray"] = _nest(flat, shape)
    return {"data": data, "meta": {}}


def _flatten(value: Any) -> tuple[list[int], list[Any]]:
    """Shape and values of a nested list. :raises BadRequestError: the rows differ in length"""
    if not isinstance(value, list):
        return [], [value]
    parts = [_flatten(entry) for entry in value]
    shapes = {tuple(shape) for shape, _ in parts}
    if len(shapes) > 1:
        raise BadRequestError("data.ndarray: the rows have different lengths")
    inner = list(shapes.pop()) if shapes else []
    return [len(value), *inner], [entry for _, flat in parts for entry in flat]


def _nest(flat: list[Any], shape: Sequence[int]) -> list[Any]:
    if len(shape) <= 1:
        return flat
    step = len(flat) // shape[0] if shape[0] else 0
    return [_nest(flat[start : start + step], shape[1:]) for start in range(0, len(flat), step or 1)]
