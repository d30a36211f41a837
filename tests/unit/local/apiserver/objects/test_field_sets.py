"""Sets of fields: their written form, and the walks that make and use them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.local.apiserver.objects import field_sets
from airflow_provider_seldon.local.apiserver.objects.merge_keys import schema_of
from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL

DEPLOYMENTS = schema_of(BY_PLURAL["deployments"])
SELDON = schema_of(BY_PLURAL["seldondeployments"])

_elements = st.sampled_from(["f:a", "f:b", "f:c", 'k:{"name":"x"}', 'v:"y"'])
_paths = st.sets(st.lists(_elements, min_size=1, max_size=4).map(tuple), max_size=12)
_scalars = st.one_of(st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["x", "y"]))
_labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("12"), max_size=3)
_containers = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from(["m", "n", "o"])},
        optional={"image": st.sampled_from("12"), "args": st.lists(st.sampled_from("xy"), max_size=2)},
    ),
    max_size=3,
    unique_by=lambda container: str(container["name"]),
)
_objects = st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.fixed_dictionaries({}, optional={"labels": _labels, "annotations": _labels}),
        "spec": st.fixed_dictionaries(
            {},
            optional={
                "replicas": st.integers(0, 3),
                "template": st.fixed_dictionaries(
                    {"spec": st.fixed_dictionaries({"containers": _containers})}
                ),
            },
        ),
    },
)


@given(_paths)
def test_written_fields_read_back_as_the_same_set(paths: set[field_sets.Path]) -> None:
    assert field_sets.from_fields_v1(field_sets.to_fields_v1(paths)) == paths


@given(_objects)
def test_an_object_does_not_differ_from_itself(value: dict[str, Any]) -> None:
    assert field_sets.compare(DEPLOYMENTS, value, value) == (set(), set(), set())


@given(_objects, _objects)
def test_what_one_gains_the_other_loses(one: dict[str, Any], other: dict[str, Any]) -> None:
    there, back = field_sets.compare(DEPLOYMENTS, one, other), field_sets.compare(DEPLOYMENTS, other, one)
    assert (there.added, there.modified, there.removed) == (back.removed, back.modified, back.added)


@given(_objects, _objects)
def test_a_merge_contains_the_whole_configuration(live: dict[str, Any], config: dict[str, Any]) -> None:
    merged = field_sets.merge(DEPLOYMENTS, live, config)
    assert field_sets.field_set(DEPLOYMENTS, config) - field_sets.field_set(DEPLOYMENTS, merged) <= {
        path for path in field_sets.field_set(DEPLOYMENTS, config) if _is_empty(config, path)
    }
    assert field_sets.merge(DEPLOYMENTS, merged, config) == merged


def _is_empty(value: Any, path: field_sets.Path) -> bool:
    for element in path:
        value = value.get(element[2:]) if isinstance(value, dict) else None
    return not value


@given(_objects, _objects)
def test_a_merge_changes_neither_side(live: dict[str, Any], config: dict[str, Any]) -> None:
    before = repr((live, config))
    field_sets.merge(DEPLOYMENTS, live, config)
    assert repr((live, config)) == before


def test_a_list_without_keys_is_one_field() -> None:
    value = {"spec": {"predictors": [{"name": "a"}], "annotations": {"x": "y"}}}
    assert field_sets.field_set(SELDON, value) == {
        ("f:spec", "f:predictors"),
        ("f:spec", "f:annotations", "f:x"),
    }


def test_items_with_keys_are_fields_of_their_own() -> None:
    value = {"spec": {"template": {"spec": {"containers": [{"name": "a", "ports": [{"containerPort": 1}]}]}}}}
    item = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"a"}')
    port = (*item, "f:ports", 'k:{"containerPort":1,"protocol":"TCP"}')
    assert field_sets.field_set(DEPLOYMENTS, value) == {
        item,
        (*item, "f:name"),
        port,
        (*port, "f:containerPort"),
    }


def test_containers_that_come_count_as_well_as_their_leaves() -> None:
    difference = field_sets.compare(DEPLOYMENTS, {"metadata": {}}, {"metadata": {"labels": {"a": "b"}}})
    assert difference.added == {("f:metadata", "f:labels"), ("f:metadata", "f:labels", "f:a")}


def test_removing_the_last_part_leaves_null() -> None:
    value = {"spec": {"annotations": {"a": "1"}, "replicas": 1}}
    gone = field_sets.remove(SELDON, value, {("f:spec", "f:annotations", "f:a")})
    assert gone == {"spec": {"annotations": None, "replicas": 1}}
    assert value["spec"]["annotations"] == {"a": "1"}


def test_paths_are_printed_as_conflicts_print_them() -> None:
    path = ("f:spec", "f:containers", 'k:{"containerPort":1,"protocol":"TCP"}', "f:name")
    assert field_sets.path_text(path) == '.spec.containers[containerPort=1,protocol="TCP"].name'
    assert field_sets.path_text(("f:metadata", "f:finalizers", 'v:"a/b"')) == '.metadata.finalizers[="a/b"]'


def test_merged_items_keep_their_places() -> None:
    def names(live: str, config: str) -> str:
        def body(text: str) -> dict[str, Any]:
            return {"spec": {"template": {"spec": {"containers": [{"name": name} for name in text]}}}}

        merged = field_sets.merge(DEPLOYMENTS, body(live), body(config))
        return "".join(c["name"] for c in merged["spec"]["template"]["spec"]["containers"])

    assert names("abc", "b") == "abc"
    assert names("abc", "cb") == "acb"
    assert names("ab", "xb") == "axb"
    assert names("", "ba") == "ba"
