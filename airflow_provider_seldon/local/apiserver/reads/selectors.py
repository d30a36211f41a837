"""Label and field selectors: parse the query text once, then match objects.

Purpose: the set-based label selectors and the field selectors of the Kubernetes API, with its errors for text that
cannot be parsed and for fields that a kind does not index.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.resources import ResourceType

Manifest = Mapping[str, Any]

_REQUIREMENT = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>[\w./-]+)
      | (?P<key>[\w./-]+)\s*(?:
            (?P<set>in|notin)\s*\((?P<values>[^()]*)\)
          | (?P<operator>==|=|!=|>|<)\s*(?P<value>[\w.-]*)
          |
        )
    )\s*(?:,|$)""",
    re.VERBOSE,
)
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")

_COMMON_FIELDS: Mapping[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
}
_EVENT_FIELDS: Mapping[str, tuple[str, ...]] = {
    f"involvedObject.{name}": ("involvedObject", name)
    for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
} | {
    "reason": ("reason",),
    "reportingComponent": ("reportingComponent",),
    "source": ("source", "component"),
    "type": ("type",),
}
_POD_FIELDS: Mapping[str, tuple[str, ...]] = {
    "spec.nodeName": ("spec", "nodeName"),
    "spec.restartPolicy": ("spec", "restartPolicy"),
    "spec.schedulerName": ("spec", "schedulerName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "status.phase": ("status", "phase"),
    "status.podIP": ("status", "podIP"),
    "status.nominatedNodeName": ("status", "nominatedNodeName"),
}
_EXTRA_FIELDS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "pods": _POD_FIELDS,
    "events": _EVENT_FIELDS,
    "secrets": {"type": ("type",)},
    "services": {"spec.clusterIP": ("spec", "clusterIP"), "spec.type": ("spec", "type")},
    "namespaces": {"status.phase": ("status", "phase")},
    "replicasets.apps": {"status.replicas": ("status", "replicas")},
}


@dataclass(frozen=True)
class Requirement:
    """One condition on one label or field: ``in``, ``notin``, ``exists``, ``!exists``, ``>`` or ``<``."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def accepts(self, value: str | None) -> bool:
        """Return whether a value (``None``: absent) satisfies the condition."""
        if self.operator == "in":
            return value is not None and value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        if self.operator == "exists":
            return value is not None
        if self.operator == "!exists":
            return value is None
        try:
            number, bound = int(value or ""), int(next(iter(self.values)))
        except ValueError:
            return False
        return number > bound if self.operator == ">" else number < bound


class LabelSelector:
    """
    A parsed label selector.

    :param text: As in the query, such as ``app=x,tier in (a,b),!old``.
    :raises StatusError: 400 when it cannot be parsed.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.requirements: list[Requirement] = []
        position = 0
        while position < len(text):
            match = _REQUIREMENT.match(text, position)
            if match is None or match.end() == position:
                raise status.bad_request(_selector_problem(text[position:]))
            self.requirements.append(_label_requirement(match))
            position = match.end()

    def matches(self, manifest: Manifest) -> bool:
        """Return whether an object's labels satisfy every condition."""
        labels = manifest["metadata"].get("labels") or {}
        return all(requirement.accepts(labels.get(requirement.key)) for requirement in self.requirements)

    def __bool__(self) -> bool:
        return bool(self.requirements)


def _selector_problem(rest: str) -> str:
    match = re.match(r"\s*!?\s*[\w./-]+\s*(?P<next>[\w./-]*)", rest)
    if match is None:
        return f"found '{rest.strip()[:1]}', expected: !, identifier, or 'end of string'"
    if match["next"] in ("in", "notin"):
        return "unable to parse requirement: found '', expected: ',' or ')'"
    return f"unable to parse requirement: found '{match['next']}', expected: in, notin, =, ==, !=, gt, lt"


def _label_requirement(match: re.Match[str]) -> Requirement:
    if match["absent"]:
        return Requirement(match["absent_key"], "!exists")
    if match["set"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
    elif match["operator"]:
        values = frozenset((match["value"],))
    else:
        return Requirement(match["key"], "exists")
    for value in values:
        if not _LABEL_VALUE.fullmatch(value):
            raise status.bad_request(
                f'unable to parse requirement: values[0][{match["key"]}]: Invalid value: "{value}": '
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or "
                "'.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or "
                "'my_value',  or '12345', regex used for validation is "
                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
            )
    if match["operator"] in (">", "<"):
        return Requirement(match["key"], match["operator"], values)
    negative = match["set"] == "notin" or match["operator"] == "!="
    return Requirement(match["key"], "notin" if negative else "in", values)


def _reader(path: tuple[str, ...]) -> Callable[[Manifest], str]:
    def read(manifest: Manifest) -> str:
        value: Any = manifest
        for name in path:
            value = value.get(name) if isinstance(value, Mapping) else None
        return "" if value is None else str(value)

    return read


class FieldSelector:
    """
    A parsed field selector for one resource.

    :param resource: Decides which fields exist: name and namespace, and a few more for built-in kinds.
    :param text: As in the query, such as ``metadata.name=x,status.phase!=Running``.
    :raises StatusError: 400 for bad syntax or a field that is not indexed.
    """

    def __init__(self, resource: ResourceType, text: str) -> None:
        self.text = text
        self.terms: list[tuple[str, Callable[[Manifest], str], str, bool]] = []
        readable = {**_COMMON_FIELDS, **_EXTRA_FIELDS.get(resource.qualified, {})}
        for term in filter(None, text.split(",")):
            key, negative, value = _split_term(term, text)
            path = readable.get(key)
            if path is None:
                raise status.bad_request(_unknown_field(resource, key))
            self.terms.append((key, _reader(path), value, negative))

    def matches(self, manifest: Manifest) -> bool:
        """Return whether an object satisfies every term."""
        return all((read(manifest) == value) != negative for _, read, value, negative in self.terms)

    def exact(self, field: str) -> str | None:
        """Return the only value that ``field`` may have, or ``None`` if there is no such restriction."""
        for key, _, value, negative in self.terms:
            if key == field and not negative:
                return value
        return None

    def __bool__(self) -> bool:
        return bool(self.terms)


def _unknown_field(resource: ResourceType, key: str) -> str:
    if resource.custom or resource.qualified in _EXTRA_FIELDS:
        return f"field label not supported: {key}"
    return f'"{key}" is not a known field selector: only "metadata.name", "metadata.namespace"'


def _split_term(term: str, text: str) -> tuple[str, bool, str]:
    for operator in ("!=", "==", "="):
        key, found, value = term.partition(operator)
        if found:
            return key, operator == "!=", value
    raise status.bad_request(f"invalid selector: '{text}'; can't understand '{term}'")
