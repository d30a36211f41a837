"""
Which version of a predictor a child Deployment runs.

With this provider's stamp that is one comparison, made wherever the operator carries the stamp to: the
Deployment's pod template and the predictor that the engine was started with. A foreign deployment has no
stamp; there, what the template shows is compared with the spec. Defaults only ever add, so everything that
the spec says must be found again. This module looks at what a Deployment *asks for*; whether its pods got
there is decided in ``readiness``. Source: Seldon Core reference, what a client can compare.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow_provider_seldon.core.children import ExpectedChild, Role, graph_units, is_server
from airflow_provider_seldon.core.identity import ANNOTATION_REVISION
from airflow_provider_seldon.core.objects import Object, items_at, mapping_at, text_at, value_at
from airflow_provider_seldon.core.predictor import EXPLAINER_TYPES

ENGINE_CONTAINER = "seldon-container-engine"
ENGINE_PREDICTOR = "ENGINE_PREDICTOR"

#: What ``ENGINE_PREDICTOR`` carries unchanged in every v1 release; the rest is zeroed, dropped or newer.
_ENGINE_FIELDS = ("name", "graph", "componentSpecs", "annotations", "labels", "svcOrchSpec")


def difference(child: Object, expected: ExpectedChild, spec: Object) -> str:
    """
    Return how a child's pod template differs from what ``spec`` asks for; empty when it runs this revision.

    :param child: the Deployment.
    :param expected: which child it is.
    :param spec: the SeldonDeployment's spec.
    """
    engine = _container(child, ENGINE_CONTAINER)
    running = _engine_predictor(engine)
    return (
        _stamp_difference(child, expected, running)
        or _engine_difference(engine, running, expected, spec)
        or _template_difference(child, expected)
    )


def template_stamp(child: Object) -> str:
    """Return the stamp in a Deployment's pod template, or an empty text."""
    return text_at(child, "spec", "template", "metadata", "annotations", ANNOTATION_REVISION)


def _stamp_difference(child: Object, expected: ExpectedChild, running: Object | None) -> str:
    """The pod template decides, not the Deployment's own metadata: that is not what pods are made from."""
    wanted = expected.stamp
    if not wanted:
        return ""
    found = template_stamp(child)
    if expected.role is not Role.ENGINE and found != wanted:
        return f"it runs revision {found or 'without a stamp'}, not {wanted}"
    if running is not None and (found := text_at(running, "annotations", ANNOTATION_REVISION)) != wanted:
        return f"its engine runs revision {found or 'without a stamp'}, not {wanted}"
    if expected.role is Role.ENGINE and running is None:
        return "its engine does not say which revision it runs"
    return ""


def _engine_difference(engine: Object, running: Object | None, expected: ExpectedChild, spec: Object) -> str:
    if not engine:
        return ""
    protocol = text_at(spec, "protocol") or "seldon"
    arguments = value_at(engine, "args")
    if isinstance(arguments, list) and "--protocol" in arguments[:-1]:
        found = arguments[arguments.index("--protocol") + 1]
        if found != protocol:
            return f"its engine speaks protocol {found}, not {protocol}"
    if running is None:
        return ""
    for field in _ENGINE_FIELDS:
        path = missing(expected.predictor.get(field), running.get(field), field)
        if path:
            return f"its engine was started with another {path}"
    return ""


def _template_difference(child: Object, expected: ExpectedChild) -> str:
    if expected.role is Role.ENGINE:
        return ""
    if expected.role is Role.EXPLAINER:
        return _explainer_difference(child, mapping_at(expected.predictor, "explainer"))
    components = items_at(expected.predictor, "componentSpecs")
    component = components[expected.component] if expected.component < len(components) else {}
    for kind in ("containers", "initContainers"):
        for wanted in items_at(component, "spec", kind):
            path = missing(_version_of(wanted), _container(child, text_at(wanted, "name"), kind))
            if path:
                return f"its container {text_at(wanted, 'name')} has another {path}"
    own = {text_at(container, "name") for container in items_at(component, "spec", "initContainers")}
    for unit in graph_units(mapping_at(expected.predictor, "graph")):
        initializer = f"{text_at(unit, 'name')}-model-initializer"[:63]
        if initializer not in own and (text := _loads_other(child, initializer, text_at(unit, "modelUri"))):
            return text
    return ""


def _explainer_difference(child: Object, explainer: Object) -> str:
    """An explainer is not part of the stamp, so that changing it restarts no model; compare what it shows."""
    containers = items_at(child, "spec", "template", "spec", "containers")
    container: Object = containers[0] if containers else {}
    image = text_at(explainer, "containerSpec", "image")
    if image and text_at(container, "image") != image:
        return f"its container has another image than {image}"
    arguments = value_at(container, "args")
    kind = text_at(explainer, "type")
    # Some explainers are told their type otherwise; then the arguments name none.
    told = (
        [argument for argument in arguments if argument in EXPLAINER_TYPES]
        if isinstance(arguments, list)
        else []
    )
    if told and kind not in told:
        return f"it explains with {told[0]}, not {kind}"
    return _loads_other(
        child, f"{text_at(container, 'name')}-model-initializer"[:63], text_at(explainer, "modelUri")
    )


def _loads_other(child: Object, initializer: str, uri: str) -> str:
    """Whether a model initializer of that name is there and copies from another place."""
    arguments = value_at(_container(child, initializer, "initContainers"), "args")
    if not uri or not isinstance(arguments, list) or not arguments or uri.startswith("pvc://"):
        return ""
    return "" if arguments[0] == uri else f"it loads {arguments[0]}, not {uri}"


def _version_of(container: Object) -> Object:
    """Return the fields of a container that tell versions apart; ports and mounts get defaults mixed in."""
    kept = {key: container[key] for key in ("image", "command", "args") if key in container}
    return kept | {"env": items_at(container, "env")}


def _container(child: Object, name: str, kind: str = "containers") -> Object:
    containers = items_at(child, "spec", "template", "spec", kind)
    return next((container for container in containers if container.get("name") == name), {})


def _engine_predictor(engine: Object) -> Object | None:
    """Return the predictor that the engine was started with; None when there is no readable one."""
    for entry in items_at(engine, "env"):
        if entry.get("name") != ENGINE_PREDICTOR:
            continue
        try:
            predictor = json.loads(base64.b64decode(text_at(entry, "value"), validate=True))
        except (binascii.Error, ValueError):
            return None
        return predictor if isinstance(predictor, Mapping) else None
    return None


def missing(wanted: Any, found: Any, path: str = "") -> str:
    """
    Return the path of the first thing in ``wanted`` that ``found`` lacks or has otherwise; empty when none.

    Both are JSON. Mappings may have more keys and lists more entries at their end. Empty values count as
    absent, since the operator's types leave them out. ``env`` is compared by name, quantities by value.
    """
    if wanted in (None, "", 0, False) or wanted == {} or wanted == []:
        return ""
    if isinstance(wanted, Mapping):
        other = found if isinstance(found, Mapping) else {}
        skipped = _OPERATOR_FIELDS | {"type"} if is_server(wanted) else _OPERATOR_FIELDS
        pairs = [(f"{path}.{key}".lstrip("."), key) for key in wanted if key not in skipped]
        return next((text for at, key in pairs if (text := missing(wanted[key], other.get(key), at))), "")
    if isinstance(wanted, Sequence) and not isinstance(wanted, str):
        entries = found if isinstance(found, Sequence) and not isinstance(found, str) else []
        if path.rpartition(".")[2] == "env":
            return _missing_environment(wanted, entries, path)
        if path.rpartition(".")[2] in ("args", "command"):
            return "" if list(wanted) == list(entries) else path
        padded = [*entries, *[None] * len(wanted)]
        return next(
            (text for i, one in enumerate(wanted) if (text := missing(one, padded[i], f"{path}[{i}]"))), ""
        )
    return "" if wanted == found or (_may_be_quantity(path) and _same_quantity(wanted, found)) else path


#: Fields that the operator fills in or overwrites; a server's ``type`` as well.
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
