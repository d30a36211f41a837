"""
Manifests as plain JSON data: read from YAML as in Kubernetes, without loss.

Kubernetes manifests are JSON objects; YAML is only a notation. So a manifest that this module accepts
consists of dict (with string keys), list, str, int, finite float, bool and None, and shares no memory with
the caller's data. It does not know SeldonDeployments: see ``seldon_deployment``.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from airflow_provider_seldon.core.invalid_request import InvalidRequestError

#: Enough for the ten levels of graph that the CRD keeps, and a limit for YAML aliases that contain
#: themselves.
MAX_DEPTH = 100


#: Maximum number of values in a manifest, with aliases expanded: an object of 1.5 MB, etcd's limit, has
#: fewer.
MAX_VALUES = 200_000


def json_copy(value: Any, field: str = "manifest") -> Any:
    """
    Return a deep copy of JSON data; refuse values that JSON cannot represent.

    :param value: dict, list, tuple (becomes a list), str, int, float, bool or None.
    :param field: path of ``value``, for the message.
    :raises InvalidRequestError: names the path of the first value that is not JSON.
    """
    _check_size(value, field)
    return _json_copy(value, field, MAX_DEPTH)


def _check_size(value: Any, field: str) -> None:
    """
    Refuse data that expands to too many values: a few lines with aliases of aliases become millions.

    Each object is counted once. Data that contains itself is refused elsewhere, with its path.
    """
    if isinstance(value, dict | list | tuple) and _size(value, {}, MAX_DEPTH) > MAX_VALUES:
        raise InvalidRequestError.of(
            field,
            f"has more than {MAX_VALUES} values, with its YAML aliases expanded",
            "reduce the manifest to what is needed",
        )


def _size(value: Any, known: dict[int, int], depth: int) -> int:
    if not isinstance(value, dict | list | tuple) or depth == 0:
        return 1
    if id(value) not in known:
        known[id(value)] = 1  # in progress
        items = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(item, known, depth - 1) for item in items)
    return known[id(value)]


def _json_copy(value: Any, field: str, depth: int) -> Any:
    if value is None or type(value) in (str, int, bool):
        return value
    if depth == 0:
        raise InvalidRequestError.of(field, "nests too deeply", f"use at most {MAX_DEPTH} levels")
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, Mapping):
        return {
            _key(key, field): _json_copy(item, f"{field}.{key}", depth - 1) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_json_copy(item, f"{field}[{index}]", depth - 1) for index, item in enumerate(value)]
    if isinstance(value, str):  # a subclass, e.g. a member of a StrEnum
        return str.__str__(value)
    raise InvalidRequestError.of(
        field,
        f"a value of type {type(value).__name__} is not allowed in a Kubernetes manifest",
        "use text, a whole or finite number, true/false, null, a list or a mapping (quote dates and times)",
    )


def _key(key: object, field: str) -> str:
    if isinstance(key, str):
        return key
    raise InvalidRequestError.of(
        field, f"the key {key!r} is not text", "quote it: keys of a Kubernetes manifest are strings"
    )


def parse_yaml(text: str, field: str = "manifest") -> Any:
    """
    Read one YAML (or JSON) document the way the Kubernetes tools do.

    Differences from ``yaml.safe_load``, so that the request is the same as with ``kubectl apply``: times and
    dates stay text, ``20:30`` stays text, ``1e3`` is a number, keys become text, and a key given twice is an
    error rather than a silent loss.

    :raises InvalidRequestError: on broken YAML, on no document and on several documents.
    """
    try:
        documents = [doc for doc in yaml.load_all(text, Loader=_KubernetesLoader) if doc is not None]
    except (yaml.YAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise InvalidRequestError.of(
            field, f"not readable as YAML{where}: {reason}", "correct the YAML text at that place"
        ) from None
    except RecursionError:
        raise InvalidRequestError.of(field, "nests too deeply", f"use at most {MAX_DEPTH} levels") from None
    if len(documents) == 1:
        _check_size(documents[0], field)
        return documents[0]
    if not documents:
        raise InvalidRequestError.of(field, "the YAML text is empty", "give one SeldonDeployment")
    raise InvalidRequestError.of(
        field, f"the YAML text has {len(documents)} documents", "keep only the one with the SeldonDeployment"
    )


class _KubernetesLoader(yaml.SafeLoader):
    """PyYAML's safe loader with the scalars of the Kubernetes tools (YAML 1.1 without dates and base 60)."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Refuse data that nests too deeply: PyYAML's time is quadratic in the depth."""
        self._depth += 1
        if self._depth > MAX_DEPTH + 1:
            raise RecursionError
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge the mappings of ``<<``; refuse merges of merges that grow without limit."""
        merged = [value for key, value in node.value if key.tag == "tag:yaml.org,2002:merge"]
        parts = [
            part
            for value in merged
            for part in (value.value if isinstance(value, yaml.SequenceNode) else [value])
            if isinstance(part, yaml.MappingNode)
        ]
        for part in parts:
            self.flatten_mapping(part)
        if sum(len(part.value) for part in parts) > MAX_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f"its merge keys expand to more than {MAX_VALUES} values", node.start_mark
            )
        super().flatten_mapping(node)

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            if key.tag in _SCALARS_THAT_BECOME_TEXT:  # before 1 and true meet as keys of one Python dict
                key.value, key.tag = json.dumps(self.construct_object(key)), "tag:yaml.org,2002:str"
                self.constructed_objects.pop(key, None)
            if key.value in seen:
                raise yaml.composer.ComposerError(
                    None, None, f"the key {key.value!r} is given twice", key.start_mark
                )
            seen.add(key.value)
        return node


_SCALARS_THAT_BECOME_TEXT = {f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float")}
_INT_OR_FLOAT = {
    "tag:yaml.org,2002:int": re.compile(
        r"^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+)$"
    ),
    "tag:yaml.org,2002:float": re.compile(
        r"^(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ),
}


def _kubernetes_resolvers() -> dict[Any, list[tuple[str, Any]]]:
    replaced = {*_INT_OR_FLOAT, "tag:yaml.org,2002:timestamp"}
    resolvers = {
        first: [(tag, regexp) for tag, regexp in pairs if tag not in replaced]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for tag, regexp in _INT_OR_FLOAT.items():  # int first: the float's expression also matches whole numbers
        for first in "-+0123456789.":
            resolvers.setdefault(first, []).append((tag, regexp))
    return resolvers


_KubernetesLoader.yaml_implicit_resolvers = _kubernetes_resolvers()
