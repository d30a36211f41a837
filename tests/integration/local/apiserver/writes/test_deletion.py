"""Deletion: preconditions, finalizers, propagation marks, grace of pods, collections."""

from __future__ import annotations

from tests.integration.local.apiserver.rest import APPS, CORE, Rest, deployment, pod, seldon_deployment

NOBODY = "00000000-0000-4000-8000-000000000000"


def test_a_deleted_object_is_named_in_the_answer(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    deleted = api.delete(api.sdep("model"))
    assert (deleted.code, deleted.body["status"]) == (200, "Success")
    assert deleted.body["details"] == {
        "name": "model",
        "group": "machinelearning.seldon.io",
        "kind": "seldondeployments",
        "uid": created.metadata["uid"],
    }
    assert api.delete(api.sdep("model")).code == 404


def test_only_the_meant_object_is_deleted(api: Rest) -> None:
    created = api.post(api.sdep(), seldon_deployment("model")).ok()
    other = api.delete(api.sdep("model"), {"preconditions": {"uid": NOBODY}})
    assert (other.code, other.reason) == (409, "Conflict")
    assert f"the UID in the precondition ({NOBODY}) does not match the UID in record" in other.message
    older = api.delete(api.sdep("model"), {"preconditions": {"resourceVersion": "1"}})
    assert "The object might have been modified" in older.message
    assert api.delete(api.sdep("model"), {"preconditions": {"uid": created.metadata["uid"]}}).code == 200


def test_a_finalizer_holds_the_object_back(api: Rest) -> None:
    metadata = {"finalizers": ["example.com/mine"]}
    api.post(api.sdep(), seldon_deployment("model", metadata=metadata)).ok()
    marked = api.delete(api.sdep("model")).ok()
    assert marked.metadata["deletionTimestamp"]
    assert marked.metadata["deletionGracePeriodSeconds"] == 0
    assert marked.metadata["generation"] == 2
    again = api.delete(api.sdep("model")).ok()
    assert again.metadata["deletionTimestamp"] == marked.metadata["deletionTimestamp"]
    busy = api.post(api.sdep(), seldon_deployment("model"))
    assert busy.reason == "AlreadyExists"
    assert busy.message.startswith("object is being deleted: ")
    more = api.merge(api.sdep("model"), {"metadata": {"finalizers": ["example.com/mine", "example.com/new"]}})
    assert "no new finalizers can be added if the object is being deleted" in more.message
    last = api.merge(api.sdep("model"), {"metadata": {"finalizers": None}}).ok()
    assert "finalizers" not in last.metadata
    assert api.get(api.sdep("model")).code == 404


def test_a_foreground_deletion_marks_the_owner(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    marked = api.delete(api.sdep("model"), {"propagationPolicy": "Foreground"}).ok()
    assert marked.metadata["finalizers"] == ["foregroundDeletion"]
    assert marked.metadata["deletionTimestamp"]
    api.merge(api.sdep("model"), {"metadata": {"finalizers": None}}).ok()
    assert api.gone(api.sdep("model"))


def test_options_may_be_in_the_query(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    marked = api.delete(api.sdep("model"), propagationPolicy="Orphan").ok()
    assert marked.metadata["finalizers"] == ["orphan"]
    api.merge(api.sdep("model"), {"metadata": {"finalizers": None}}).ok()


def test_a_propagation_that_does_not_exist_is_refused(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    answer = api.delete(api.sdep("model"), propagationPolicy="Sideways")
    assert (answer.code, answer.causes) == (422, [("propagationPolicy", "FieldValueNotSupported")])


def test_a_pod_on_a_node_has_time_to_end(api: Rest) -> None:
    path = api.path(CORE, "pods", "p")
    api.post(api.path(CORE, "pods"), pod("p", nodeName="node")).ok()
    marked = api.delete(path).ok()
    assert marked.body["kind"] == "Pod"
    assert marked.metadata["deletionGracePeriodSeconds"] == 30
    assert api.get(path).metadata["deletionTimestamp"]
    sooner = api.delete(path, gracePeriodSeconds="5").ok()
    assert sooner.metadata["deletionGracePeriodSeconds"] == 5
    assert api.delete(path, gracePeriodSeconds="60").ok().metadata["deletionGracePeriodSeconds"] == 5
    api.delete(path, {"gracePeriodSeconds": 0}).ok()
    assert api.get(path).code == 404


def test_a_pod_without_a_node_or_a_life_goes_at_once(api: Rest) -> None:
    path = api.path(CORE, "pods")
    api.post(path, pod("unscheduled")).ok()
    api.delete(f"{path}/unscheduled").ok()
    assert api.get(f"{path}/unscheduled").code == 404
    api.post(path, pod("done", nodeName="node")).ok()
    api.merge(f"{path}/done/status", {"status": {"phase": "Succeeded"}}).ok()
    api.delete(f"{path}/done").ok()
    assert api.get(f"{path}/done").code == 404


def test_a_collection_is_deleted_by_selector(api: Rest) -> None:
    for name, group in (("a", "1"), ("b", "1"), ("c", "2")):
        api.post(api.path(APPS, "deployments"), deployment(name, metadata={"labels": {"group": group}})).ok()
    api.delete(api.path(APPS, "deployments"), labelSelector="group=1").ok()
    assert api.get(api.path(APPS, "deployments")).names == ["c"]


def test_a_pod_is_bound_to_a_node_once(api: Rest) -> None:
    api.post(api.path(CORE, "pods"), pod("p")).ok()
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}}
    target = {"target": {"apiVersion": "v1", "kind": "Node", "name": "node"}}
    assert api.post(api.path(CORE, "pods", "p", "binding"), binding | target).code == 201
    assert api.get(api.path(CORE, "pods", "p")).body["spec"]["nodeName"] == "node"
    assert api.post(api.path(CORE, "pods", "p", "binding"), binding | target).code == 409
    (scheduled,) = api.get(api.path(CORE, "pods", "p")).body["status"]["conditions"]
    assert (scheduled["type"], scheduled["status"]) == ("PodScheduled", "True")


def test_scales_are_windows_on_replicas(api: Rest) -> None:
    api.post(api.path(APPS, "deployments"), deployment("d", replicas=2)).ok()
    path = api.path(APPS, "deployments", "d", "scale")
    scale = api.get(path).ok().body
    assert (scale["kind"], scale["apiVersion"], scale["spec"]) == ("Scale", "autoscaling/v1", {"replicas": 2})
    assert scale["status"]["selector"] == "app=d"
    scale["spec"]["replicas"] = 3
    assert api.put(path, scale).ok().body["spec"]["replicas"] == 3
    assert api.put(path, scale).code == 409
    assert api.get(api.path(APPS, "deployments", "d")).body["spec"]["replicas"] == 3


def test_a_seldon_deployment_without_replicas_has_no_scale_yet(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    unset = api.get(api.sdep("model", "scale"))
    assert (unset.code, unset.reason) == (500, "InternalError")
    assert 'the spec replicas field ".spec.replicas" does not exist' in unset.message
    assert api.merge(api.sdep("model", "scale"), {"spec": {"replicas": 2}}).ok().body["spec"] == {
        "replicas": 2
    }
    assert api.get(api.sdep("model")).body["spec"]["replicas"] == 2
    assert api.get(api.sdep("model", "scale")).ok().body["status"] == {"replicas": 0}
