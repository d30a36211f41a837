from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import judge
from airflow_provider_seldon.kube.watch.store import Store, owner_of
from tests.unit.core.cluster_objects import complete_children, sdep, spec


def deployment(name: str = "iris", version: str = "1") -> dict[str, Any]:
    return sdep(name=name, resourceVersion=version)


def child(name: str = "iris-default-0-classifier", owner: str = "iris", version: str = "1") -> dict[str, Any]:
    made = complete_children(sdep())[0]
    made["metadata"] |= {"name": name, "resourceVersion": version}
    made["metadata"]["ownerReferences"][0]["name"] = owner
    return made


def listen(store: Store, name: str) -> list[str]:
    heard: list[str] = []
    store.entry(name).listeners.add(lambda: heard.append(name))
    return heard


def test_only_waits_for_the_name_are_woken():
    store = Store()
    iris, other = listen(store, "iris"), listen(store, "other")
    store.put_deployment(deployment())
    store.put_child(child())
    store.drop_child("iris-default-0-classifier")
    store.drop_deployment("iris")
    assert (len(iris), len(other)) == (4, 0)


def test_the_same_version_again_and_an_older_one_are_not_new():
    store = Store()
    heard = listen(store, "iris")
    for version in ("7", "7", "6", "8"):
        store.put_deployment(deployment(version=version))
        store.put_child(child(version=version))
    assert len(heard) == 4
    held = store.entry("iris").deployment
    assert held is not None
    assert held["metadata"]["resourceVersion"] == "8"


@pytest.mark.parametrize("versions", [("abc", "abd"), ("", "")])
def test_versions_that_are_no_numbers_are_compared_for_equality_only(versions: tuple[str, str]):
    store = Store()
    heard = listen(store, "iris")
    for version in versions:
        store.put_deployment(deployment(version=version))
    assert len(heard) == 2


def test_what_is_kept_is_all_that_the_judge_needs():
    content = spec(explainer={"type": "AnchorTabular", "modelUri": "gs://a"}) | {
        "annotations": {"seldon.io/engine-separate-pod": "true"}
    }
    whole = sdep(content)
    children = complete_children(whole)
    for one in (whole, *children):
        one["metadata"] |= {
            "managedFields": [{"manager": "x" * 1000}],
            "annotations": {"last-applied": "x" * 1000},
        }
    store = Store()
    store.put_deployment(whole)
    for one in children:
        store.put_child(one)
    entry = store.entry("iris")
    kept = judge(entry.deployment, entry.children, expected=Expectation.of(whole), now=0.0)
    assert kept == judge(whole, children, expected=Expectation.of(whole), now=0.0)
    assert "x" * 100 not in str((entry.deployment, entry.children))


def test_child_that_changes_hands_leaves_its_former_owner():
    store = Store()
    former, latter = listen(store, "iris"), listen(store, "other")
    store.put_child(child())
    store.put_child(child(owner="other", version="2"))
    assert (len(former), len(latter)) == (2, 1)
    assert store.entry("iris").children == []
    orphan = child(version="3")
    orphan["metadata"]["ownerReferences"] = []
    store.put_child(orphan)
    assert list(store.children()) == []


def test_owner_is_found_by_reference_and_else_by_label():
    labelled = {"metadata": {"labels": {"seldon-deployment-id": "iris"}}}
    assert owner_of(labelled) == "iris"
    assert owner_of(child(owner="other") | {}) == "other"
    assert owner_of({}) == ""


def test_nothing_is_kept_of_deleted_objects_without_readers():
    store = Store()

    def heard() -> None:
        return

    store.entry("iris").listeners.add(heard)
    store.put_deployment(deployment())
    store.drop_deployment("iris")
    store.leave("iris", heard)
    store.drop_deployment("iris")
    store.leave("iris", heard)
    assert store._entries == {}
