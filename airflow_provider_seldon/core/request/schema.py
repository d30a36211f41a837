"""
The CRD's schema, as far as this provider's models have it: types, required fields, and valid words.

Walks the models and compares each value with the model's own annotation, so that a field is defined in one
place. The words (enums) are not in the CRD's schema: the API server accepts a wrong one, and the operator or
a server fails later. Pod specs are left to the API server. Source: Seldon Core reference, types.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from types import MappingProxyType, NoneType
from typing import Annotated, Any, get_args, get_origin

from airflow_provider_seldon.core.invalid_request import Problem
from airflow_provider_seldon.core.resource.graph import Endpoint, Logger, Parameter, PredictiveUnit
from airflow_provider_seldon.core.resource.manifest_model import ManifestModel
from airflow_provider_seldon.core.resource.predictor import HpaSpec, KedaSpec, Predictor
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeploymentSpec
from airflow_provider_seldon.core.values.suggestion import unknown

_REQUIRED: Mapping[type[ManifestModel], tuple[str, ...]] = MappingProxyType(
    {
        SeldonDeploymentSpec: ("predictors",),
        Predictor: ("name", "graph"),
        PredictiveUnit: ("name",),
        Parameter: ("name", "type", "value"),
        HpaSpec: ("max_replicas",),
        KedaSpec: ("triggers",),
    }
)
_WORDS: Mapping[tuple[type[ManifestModel], str], tuple[str, ...]] = MappingProxyType(
    {
        (PredictiveUnit, "type"): (
            "MODEL",
            "ROUTER",
            "COMBINER",
            "TRANSFORMER",
            "OUTPUT_TRANSFORMER",
            "UNKNOWN_TYPE",
        ),
        (PredictiveUnit, "methods"): (
            "TRANSFORM_INPUT",
            "TRANSFORM_OUTPUT",
            "ROUTE",
            "AGGREGATE",
            "SEND_FEEDBACK",
        ),
        (Parameter, "type"): ("STRING", "INT", "FLOAT", "DOUBLE", "BOOL"),
        (Endpoint, "type"): ("REST", "GRPC"),
        (Logger, "mode"): ("all", "request", "response"),
    }
)
_TYPE_NAMES = {str: "text", int: "a whole number", bool: "true or false", dict: "a mapping", list: "a list"}


def problems(model: ManifestModel, path: str) -> Iterator[Problem]:
    """
    Yield where ``model`` or anything below it violates the CRD.

    :param path: path of the model, e.g. ``spec``.
    """
    fields = type(model).model_fields
    for name in _REQUIRED.get(type(model), ()):
        if name not in model.model_fields_set:
            yield Problem(f"{path}.{fields[name].alias or name}", "is required", "add it")
    for name, field in fields.items():
        if name in model.model_fields_set:
            value, where = getattr(model, name), f"{path}.{field.alias or name}"
            yield from _type_problems(value, field.annotation, where)
            yield from _word_problems(value, _WORDS.get((type(model), name), ()), where)


def _type_problems(value: Any, annotation: Any, path: str) -> Iterator[Problem]:
    wanted = _wanted(annotation)
    if wanted is Any:
        return
    origin = get_origin(wanted) or wanted
    if value is None:
        yield Problem(path, "is null", "remove it or give a value")
    elif issubclass(origin, ManifestModel):
        if isinstance(value, origin):
            yield from problems(value, path)
        else:
            yield _wrong(path, dict, value)
    elif type(value) is not origin:
        yield _wrong(path, origin, value)
    elif origin is list:
        for index, item in enumerate(value):
            yield from _type_problems(item, get_args(wanted)[0], f"{path}[{index}]")
    elif origin is dict:
        for key, item in value.items():
            yield from _type_problems(item, get_args(wanted)[1], f"{path}.{key}")


def _wanted(annotation: Any) -> Any:
    """Return the type without ``None`` and without ``Annotated``'s extras."""
    while get_origin(annotation) is Annotated or NoneType in get_args(annotation):
        annotation = next(part for part in get_args(annotation) if part is not NoneType)
    return annotation


def _wrong(path: str, wanted: type, value: Any) -> Problem:
    name = _TYPE_NAMES[wanted]
    return Problem(path, f"is not {name}", f"give {name}", value=str(value)[:80])


def _word_problems(value: Any, words: Collection[str], path: str) -> Iterator[Problem]:
    for word in value if isinstance(value, list) else [value]:
        if words and isinstance(word, str) and word and word not in words:
            yield unknown(path, word, words, noun="value")
