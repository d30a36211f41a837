"""Structural schemas: notation, pruning, defaults, validation, and the definition made from them."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.local.apiserver.objects import crd, structural, structural_validation
from airflow_provider_seldon.local.apiserver.objects.seldon_types import seldon_deployment

TYPES = structural.parse(
    {
        "Root": "name!:str count:int when?:str ports:[Port#number,kind] free:{str} size:quantity inner:Root any:any",
        "Port": "number!:int kind:str=TCP",
    }
)
ROOT = TYPES["Root"]


def causes(value: object) -> list[tuple[str, str]]:
    """Return (field, reason) of what is wrong with a value."""
    return [(c["field"], c["reason"]) for c in structural_validation.validate(ROOT, value)]


def test_unknown_fields_are_found_at_every_depth() -> None:
    value = {"name": "x", "ports": [{"number": 1, "foo": 1}], "inner": {"bar": {}}, "any": {"anything": 1}}
    pruned = structural.prune(ROOT, value)
    assert pruned.unknown == ["ports[0].foo", "inner.bar"]
    assert pruned.value == {"name": "x", "ports": [{"number": 1}], "inner": {}, "any": {"anything": 1}}


def test_what_needs_no_pruning_is_not_copied() -> None:
    value = {"name": "x", "ports": [{"number": 1}], "free": {"a": "b"}}
    assert structural.prune(ROOT, value).value is value
    filled = structural.with_defaults(ROOT, value)
    assert filled["free"] is value["free"]
    assert structural.with_defaults(ROOT, filled) is filled


def test_nulls_go_unless_they_are_welcome() -> None:
    value = {"name": None, "when": None, "free": {"a": None}}
    assert structural.prune(ROOT, value).value == {"when": None, "free": {}}
    assert structural.prune(ROOT, value, nulls=False).value == value


def test_defaults_are_filled_in_where_nothing_is() -> None:
    value = {"name": "x", "ports": [{"number": 1}, {"number": 2, "kind": "UDP"}]}
    assert structural.with_defaults(ROOT, value)["ports"] == [
        {"number": 1, "kind": "TCP"},
        {"number": 2, "kind": "UDP"},
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"name": "x"}, []),
        ({}, [("name", "FieldValueRequired")]),
        ({"name": 1}, [("name", "FieldValueTypeInvalid")]),
        ({"name": "x", "count": "1"}, [("count", "FieldValueTypeInvalid")]),
        ({"name": "x", "count": True}, [("count", "FieldValueTypeInvalid")]),
        ({"name": "x", "when": None}, []),
        ({"name": "x", "free": {"a": 1}}, [("free.a", "FieldValueTypeInvalid")]),
        ({"name": "x", "size": "12Mi"}, []),
        ({"name": "x", "size": 12}, []),
        ({"name": "x", "size": "12 Mi"}, [("size", "FieldValueInvalid")]),
        ({"name": "x", "ports": {}}, [("ports", "FieldValueTypeInvalid")]),
        ({"name": "x", "ports": [None]}, [("ports[0]", "FieldValueTypeInvalid")]),
        ({"name": "x", "ports": [{"number": 1}, {"number": 1}]}, [("ports[1]", "FieldValueDuplicate")]),
        ({"name": "x", "inner": {}}, [("inner.name", "FieldValueRequired")]),
    ],
)
def test_values_are_checked(value: object, expected: list[tuple[str, str]]) -> None:
    assert causes(value) == expected


def test_an_applied_configuration_is_understood_or_not() -> None:
    assert structural_validation.typed_errors(ROOT, {"name": "x", "any": {"a": 1}, "when": None}) == ""
    assert structural_validation.typed_errors(ROOT, {"foo": 1}) == ".foo: field not declared in schema"
    both = structural_validation.typed_errors(ROOT, {"foo": 1, "count": "x"})
    assert both == (
        "errors:\n  .count: expected numeric (int or float), got string\n  .foo: field not declared in schema"
    )
    twice = {"ports": [{"number": 1}, {"number": 1, "kind": "TCP"}]}
    assert structural_validation.typed_errors(ROOT, twice) == (
        '.ports: duplicate entries for key [kind="TCP",number=1]'
    )


def test_the_definition_describes_what_the_server_checks() -> None:
    definition = crd.definition()
    versions = definition["spec"]["versions"]
    assert [(v["name"], v["served"], v["storage"]) for v in versions] == [
        ("v1", True, True),
        ("v1alpha2", True, False),
        ("v1alpha3", True, False),
    ]
    schema = versions[0]["schema"]["openAPIV3Schema"]
    predictor = schema["properties"]["spec"]["properties"]["predictors"]["items"]
    assert sorted(predictor["required"]) == ["graph", "name"]
    assert predictor["properties"]["graph"]["properties"]["modelUri"] == {"type": "string"}
    assert versions[0]["subresources"]["scale"]["specReplicasPath"] == ".spec.replicas"


def test_parameters_of_a_graph_are_described() -> None:
    graph = seldon_deployment().fields["spec"].type.fields["predictors"].type.element
    assert graph is not None
    parameters = graph.fields["graph"].type.fields["parameters"].type.element
    assert parameters is not None
    assert all(parameters.fields[name].required for name in ("name", "value", "type"))
