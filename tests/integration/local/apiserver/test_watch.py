"""Watches: what is told, to whom, in which order."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any

from tests.integration.local.apiserver.rest import CORE, Rest, pod, seldon_deployment


def told(events: Iterator[dict[str, Any]], count: int) -> list[tuple[str, str]]:
    """Return (type, name) of the next events, bookmarks left out."""
    real = (event for event in events if event["type"] != "BOOKMARK")
    return [(e["type"], e["object"]["metadata"]["name"]) for e in itertools.islice(real, count)]


def test_a_watch_reports_changes_after_its_version(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("before")).ok()
    start = api.get(api.sdep()).revision
    api.post(api.sdep(), seldon_deployment("missed")).ok()
    with api.watch(api.sdep(), resourceVersion=start) as events:
        api.merge(api.sdep("missed"), {"spec": {"replicas": 2}}).ok()
        api.delete(api.sdep("missed")).ok()
        assert told(events, 3) == [("ADDED", "missed"), ("MODIFIED", "missed"), ("DELETED", "missed")]


def test_a_watch_without_a_version_begins_with_the_existing_objects(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("a")).ok()
    api.post(api.sdep(), seldon_deployment("b")).ok()
    for version in ({}, {"resourceVersion": "0"}):
        with api.watch(api.sdep(), **version) as events:
            assert sorted(told(events, 2)) == [("ADDED", "a"), ("ADDED", "b")]


def test_events_are_in_the_order_of_their_versions(api: Rest) -> None:
    start = api.get(api.sdep()).revision
    for number in range(10):
        api.post(api.sdep(), seldon_deployment(f"m{number}")).ok()
    with api.watch(api.sdep(), resourceVersion=start) as events:
        versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in itertools.islice(events, 10)]
    assert versions == sorted(versions)


def test_a_deletion_has_a_version_of_its_own(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    with api.watch(api.sdep(), resourceVersion=created.revision) as events:
        api.delete(api.sdep("model")).ok()
        event = next(events)
    assert event["type"] == "DELETED"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(created.revision)
    assert event["object"]["spec"] == created.body["spec"]


def test_selected_objects_come_and_go_as_their_labels_change(api: Rest) -> None:
    start = api.get(api.sdep()).revision
    with api.watch(api.sdep(), resourceVersion=start, labelSelector="stage=live") as events:
        api.post(api.sdep(), seldon_deployment("model")).ok()
        api.merge(api.sdep("model"), {"metadata": {"labels": {"stage": "live"}}}).ok()
        api.merge(api.sdep("model"), {"spec": {"replicas": 2}}).ok()
        api.merge(api.sdep("model"), {"metadata": {"labels": {"stage": "old"}}}).ok()
        api.delete(api.sdep("model")).ok()
        api.post(api.sdep(), seldon_deployment("next", metadata={"labels": {"stage": "live"}})).ok()
        assert told(events, 4) == [
            ("ADDED", "model"),
            ("MODIFIED", "model"),
            ("DELETED", "model"),
            ("ADDED", "next"),
        ]


def test_one_object_can_be_watched(api: Rest) -> None:
    start = api.get(api.sdep()).revision
    with api.watch(api.sdep(), resourceVersion=start, fieldSelector="metadata.name=mine") as events:
        api.post(api.sdep(), seldon_deployment("other")).ok()
        api.post(api.sdep(), seldon_deployment("mine")).ok()
        api.merge(api.sdep("other"), {"spec": {"replicas": 2}}).ok()
        api.merge(api.sdep("mine", "status"), {"status": {"state": "Creating"}}).ok()
        assert told(events, 2) == [("ADDED", "mine"), ("MODIFIED", "mine")]


def test_pods_come_and_go_as_their_phase_changes(api: Rest) -> None:
    path = api.path(CORE, "pods")
    start = api.get(path).revision
    status = api.path(CORE, "pods", "p", "status")
    with api.watch(path, resourceVersion=start, fieldSelector="status.phase=Running") as events:
        api.post(path, pod("p", nodeName="n")).ok()
        api.merge(status, {"status": {"phase": "Running"}}).ok()
        api.merge(status, {"status": {"phase": "Failed"}}).ok()
        assert told(events, 2) == [("ADDED", "p"), ("DELETED", "p")]


def test_other_namespaces_are_not_notified(api: Rest) -> None:
    start = api.get(api.sdep()).revision
    with api.watch(api.sdep(), resourceVersion=start) as events:
        elsewhere = "/apis/machinelearning.seldon.io/v1/namespaces/default/seldondeployments"
        name = f"{api.namespace}-elsewhere"
        api.post(elsewhere, seldon_deployment(name)).ok()
        api.delete(f"{elsewhere}/{name}").ok()
        api.post(api.sdep(), seldon_deployment("here")).ok()
        assert told(events, 1) == [("ADDED", "here")]


def test_a_watch_speaks_the_version_of_its_path(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    path = api.path("/apis/machinelearning.seldon.io/v1alpha2", "seldondeployments")
    with api.watch(path) as events:
        assert next(events)["object"]["apiVersion"] == "machinelearning.seldon.io/v1alpha2"


def test_a_watch_ends_at_its_timeout(api: Rest) -> None:
    begun = time.monotonic()
    with api.watch(api.sdep(), resourceVersion=api.get(api.sdep()).revision, timeoutSeconds="1") as events:
        assert list(events) == []
    assert 0.9 < time.monotonic() - begun < 15


def test_initial_events_end_with_a_bookmark(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    query = {
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "allowWatchBookmarks": "true",
    }
    with api.watch(api.sdep(), **query) as events:
        first, second = next(events), next(events)
    assert (first["type"], second["type"]) == ("ADDED", "BOOKMARK")
    assert second["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(second["object"]["metadata"]["resourceVersion"]) >= int(
        first["object"]["metadata"]["resourceVersion"]
    )


def test_initial_events_need_their_match(api: Rest) -> None:
    answer = api.get(api.sdep(), watch="true", sendInitialEvents="true")
    assert (answer.code, answer.causes) == (422, [("resourceVersionMatch", "FieldValueForbidden")])


def test_a_version_that_is_no_number_is_refused(api: Rest) -> None:
    assert api.get(api.sdep(), watch="true", resourceVersion="now").code == 500
    assert api.get(api.sdep(), watch="true", timeoutSeconds="soon").code == 400
