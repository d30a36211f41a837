"""Dependents follow their owners (local only: a bare kube-apiserver collects nothing)."""

from __future__ import annotations

import asyncio
import threading

import pytest

from airflow_provider_seldon.local.apiserver import ApiServer
from tests.integration.local.apiserver.rest import (
    APPS,
    CORE,
    Answer,
    Rest,
    deployment,
    owned_by,
    pod,
    secret,
    seldon_deployment,
)


@pytest.fixture
def family(local: Rest) -> Answer:
    """A SeldonDeployment ``model`` that owns a Deployment ``child``, which owns a pod ``grandchild`` on a node."""
    owner = local.post(local.sdep(), seldon_deployment("model")).ok()
    child = local.post(local.path(APPS, "deployments"), deployment("child", metadata=owned_by(owner))).ok()
    local.post(local.path(CORE, "pods"), pod("grandchild", metadata=owned_by(child), nodeName="node")).ok()
    return owner


def finish_pod(local: Rest, name: str = "grandchild") -> None:
    """Do what a kubelet does when the pod's containers have ended."""
    local.delete(local.path(CORE, "pods", name), {"gracePeriodSeconds": 0}).ok()


def marked(local: Rest, path: str) -> bool:
    """Wait until an object is marked as being deleted."""
    for _ in range(500):
        answer = local.get(path)
        if answer.code == 200 and "deletionTimestamp" in answer.metadata:
            return True
        threading.Event().wait(0.01)
    return False


def test_a_background_deletion_takes_the_owner_first(local: Rest, family: Answer) -> None:
    local.delete(local.sdep("model"), {"propagationPolicy": "Background"}).ok()
    assert local.get(local.sdep("model")).code == 404
    assert local.gone(local.path(APPS, "deployments", "child"))
    assert marked(local, local.path(CORE, "pods", "grandchild"))


def test_a_foreground_deletion_takes_the_owner_last(local: Rest, family: Answer) -> None:
    local.delete(local.sdep("model"), {"propagationPolicy": "Foreground"}).ok()
    assert marked(local, local.path(APPS, "deployments", "child"))
    assert marked(local, local.path(CORE, "pods", "grandchild"))
    held = local.get(local.sdep("model")).ok()
    assert held.metadata["finalizers"] == ["foregroundDeletion"]
    finish_pod(local)
    assert local.gone(local.path(APPS, "deployments", "child"))
    assert local.gone(local.sdep("model"))


def test_dependents_that_do_not_block_do_not_hold_the_owner(local: Rest) -> None:
    owner = local.post(local.sdep(), seldon_deployment("model")).ok()
    metadata = owned_by(owner, block=False) | {"finalizers": ["example.com/slow"]}
    local.post(local.path(CORE, "secrets"), {**secret("s"), "metadata": {"name": "s"} | metadata}).ok()
    local.delete(local.sdep("model"), {"propagationPolicy": "Foreground"}).ok()
    assert local.gone(local.sdep("model"))
    assert marked(local, local.path(CORE, "secrets", "s"))


def test_a_foreground_deletion_without_dependents_is_quick(local: Rest) -> None:
    local.post(local.sdep(), seldon_deployment("model")).ok()
    local.delete(local.sdep("model"), {"propagationPolicy": "Foreground"}).ok()
    assert local.gone(local.sdep("model"))


def test_orphans_stay_without_their_owner(local: Rest, family: Answer) -> None:
    local.delete(local.sdep("model"), {"propagationPolicy": "Orphan"}).ok()
    assert local.gone(local.sdep("model"))
    child = local.get(local.path(APPS, "deployments", "child")).ok()
    assert "ownerReferences" not in child.metadata
    assert local.get(local.path(CORE, "pods", "grandchild")).code == 200


def test_an_object_with_another_owner_stays(local: Rest) -> None:
    owners = [local.post(local.sdep(), seldon_deployment(name)).ok() for name in ("one", "two")]
    references = [owned_by(owner)["ownerReferences"][0] | {"controller": False} for owner in owners]
    body = secret("shared") | {"metadata": {"name": "shared", "ownerReferences": references}}
    local.post(local.path(CORE, "secrets"), body).ok()
    local.delete(local.sdep("one")).ok()
    for _ in range(500):
        left = local.get(local.path(CORE, "secrets", "shared")).ok().metadata["ownerReferences"]
        if len(left) == 1:
            break
        threading.Event().wait(0.01)
    assert [reference["name"] for reference in left] == ["two"]
    local.delete(local.sdep("two")).ok()
    assert local.gone(local.path(CORE, "secrets", "shared"))


def test_an_owner_of_the_same_name_but_another_uid_is_no_owner(local: Rest, family: Answer) -> None:
    metadata = owned_by(family)
    metadata["ownerReferences"][0]["uid"] = "00000000-0000-4000-8000-000000000000"
    local.post(local.path(CORE, "secrets"), secret("s") | {"metadata": {"name": "s"} | metadata}).ok()
    assert local.gone(local.path(CORE, "secrets", "s"))
    assert local.get(local.path(APPS, "deployments", "child")).code == 200


def test_an_owner_of_a_kind_that_is_not_served_counts_as_alive(local: Rest) -> None:
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "some-uid"}
    body = secret("s") | {"metadata": {"name": "s", "ownerReferences": [owner]}}
    local.post(local.path(CORE, "secrets"), body).ok()
    marker = local.post(local.sdep(), seldon_deployment("marker")).ok()
    dependent = secret("d") | {"metadata": {"name": "d"} | owned_by(marker)}
    local.post(local.path(CORE, "secrets"), dependent).ok()
    local.delete(local.sdep("marker")).ok()
    assert local.gone(local.path(CORE, "secrets", "d"))
    assert local.get(local.path(CORE, "secrets", "s")).code == 200


def test_a_namespace_is_emptied_before_it_goes(local: Rest) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short-lived"}}
    local.post(f"{CORE}/namespaces", namespace).ok()
    there = Rest(local.url, namespace="short-lived")
    there.post(there.sdep(), seldon_deployment("model")).ok()
    held = secret("held") | {"metadata": {"name": "held", "finalizers": ["example.com/mine"]}}
    there.post(there.path(CORE, "secrets"), held).ok()
    local.delete(f"{CORE}/namespaces/short-lived").ok()
    assert there.gone(there.sdep("model"))
    assert local.get(f"{CORE}/namespaces/short-lived").body["status"] == {"phase": "Terminating"}
    refused = there.post(there.path(CORE, "secrets"), secret("late"))
    assert (refused.code, refused.reason) == (403, "Forbidden")
    assert "because it is being terminated" in refused.message
    there.merge(there.path(CORE, "secrets", "held"), {"metadata": {"finalizers": None}}).ok()
    assert local.gone(f"{CORE}/namespaces/short-lived")


def test_a_slow_collector_leaves_dependents_for_a_while() -> None:
    async def run() -> tuple[int, bool]:
        server = ApiServer(garbage_delay=0.5)
        await server.start()
        local = Rest(server.url)

        def act() -> tuple[int, bool]:
            owner = local.post(local.sdep(), seldon_deployment("model")).ok()
            body = deployment("child", metadata=owned_by(owner))
            local.post(local.path(APPS, "deployments"), body).ok()
            local.delete(local.sdep("model")).ok()
            right_after = local.get(local.path(APPS, "deployments", "child")).code
            return right_after, local.gone(local.path(APPS, "deployments", "child"))

        try:
            return await asyncio.to_thread(act)
        finally:
            await server.stop()

    assert asyncio.run(run()) == (200, True)
