"""Strategic merge patches and admission of values, without a server."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.local.apiserver.objects import metadata
from airflow_provider_seldon.local.apiserver.objects.merge_keys import schema_of
from airflow_provider_seldon.local.apiserver.ownership import managed_fields
from airflow_provider_seldon.local.apiserver.ownership.managed_fields import Ownership, Write
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.resources import BY_PLURAL
from airflow_provider_seldon.local.apiserver.writes.strategic_merge import strategic_merge_patch

PODS = schema_of(BY_PLURAL["pods"])


def containers(*patch: dict[str, Any], live: tuple[str, ...] = ("a", "b")) -> list[dict[str, Any]]:
    """Return a pod's containers after a strategic merge patch."""
    target = {"spec": {"containers": [{"name": name, "image": "1"} for name in live]}}
    patched = strategic_merge_patch(PODS, target, {"spec": {"containers": list(patch)}})
    listed: list[dict[str, Any]] = patched["spec"]["containers"]
    return listed


def test_an_item_is_merged_by_its_key() -> None:
    assert containers({"name": "b", "image": "2"}) == [
        {"name": "a", "image": "1"},
        {"name": "b", "image": "2"},
    ]


def test_a_new_item_is_put_in_front() -> None:
    assert [c["name"] for c in containers({"name": "c"})] == ["c", "a", "b"]


def test_an_item_can_be_deleted_and_a_list_replaced() -> None:
    assert [c["name"] for c in containers({"name": "a", "$patch": "delete"})] == ["b"]
    assert containers({"$patch": "replace"}, {"name": "z"}) == [{"name": "z"}]


def test_a_map_can_be_replaced() -> None:
    patch = {"metadata": {"labels": {"$patch": "replace", "b": "2"}}}
    patched = strategic_merge_patch(PODS, {"metadata": {"labels": {"a": "1"}}}, patch)
    assert patched == {"metadata": {"labels": {"b": "2"}}}


def test_kept_keys_drop_the_others() -> None:
    patch = {"spec": {"$retainKeys": ["b"], "b": 2}}
    assert strategic_merge_patch(PODS, {"spec": {"a": 1, "b": 1}}, patch) == {"spec": {"b": 2}}


def test_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(status.StatusError, match="does not contain declared merge key: name"):
        containers({"image": "2"})


def test_the_oldest_update_managers_are_folded_together() -> None:
    ownership = Ownership(PODS)
    live: dict[str, Any] = {"metadata": {"labels": {}}}
    for number in range(13):
        new = {"metadata": {"labels": live["metadata"]["labels"] | {f"l{number}": "1"}}}
        write = Write(
            manager=f"m{number:02}",
            api_version="v1",
            subresource="",
            ignored=(),
            now=f"2026-01-05T00:00:{number:02}Z",
        )
        ownership.updated(live, new, write)
        live = new
    names = [key.name for key in ownership.managers]
    assert len(names) == 10
    assert "ancient-changes" in names
    owned = set().union(*(entry.paths for entry in ownership.managers.values()))
    assert {("f:metadata", "f:labels", f"f:l{number}") for number in range(13)} <= owned


def test_unreadable_managed_fields_are_dropped() -> None:
    entries = [{"manager": "x"}, "text", {"manager": "y", "fieldsV1": {"f:a": {}}, "apiVersion": "v1"}]
    ownership = Ownership.of(PODS, {"metadata": {"managedFields": entries}})
    assert [key.name for key in ownership.managers] == ["y"]
    assert managed_fields.is_reset([])
    assert managed_fields.is_reset([{}])
    assert not managed_fields.is_reset(None)


@pytest.mark.parametrize(
    ("key", "legal"),
    [
        ("a", True),
        ("example.com/a-b_c.d", True),
        ("/a", False),
        ("a b", False),
        ("x" * 64, False),
        ("UPPER.com/a", False),
    ],
)
def test_label_keys_follow_their_rule(key: str, legal: bool) -> None:
    assert (metadata.qualified_name_problems(key) == []) is legal


def test_generated_names_fit_a_label() -> None:
    assert len(metadata.generated_name("x" * 70)) == 63
