from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.readiness.failure_policy import DEFAULT_POLICY, FailureKind, FailurePolicy
from airflow_provider_seldon.core.readiness.pod_failure import newest_pods, pod_problems

CHILD = {"metadata": {"name": "iris"}}


@pytest.mark.parametrize(
    "text",
    [
        "Operation cannot be fulfilled: the object has been modified",
        'deployments.apps "x" already exists',
        "object is being deleted: x already exists",
        'failed calling webhook "v1.vseldondeployment.kb.io": connection refused',
        "context deadline exceeded",
        "etcdserver: leader changed",
        "Timeout: request did not complete",
        'Service "x" not found',
    ],
)
def test_descriptions_that_heal_by_themselves(text: str):
    assert DEFAULT_POLICY.kind_of(text) is FailureKind.TRANSIENT


@pytest.mark.parametrize(
    "text",
    [
        'Deployment.apps "x" is invalid: spec.template: Not found: "podinfo"',
        "must be no more than 63 characters",
        "Failed to get server config for X",
        "Failed to find PodSpec for Prepackaged server PreditiveUnit named x",
        "Failed to parse abc as integer for TIMEOUT",
        'strconv.Atoi: parsing "timeout": invalid syntax',
        "Invalid URI must be pvc://<pvcname>/[path]: s3://x",
    ],
)
def test_descriptions_that_follow_from_the_spec(text: str):
    assert DEFAULT_POLICY.kind_of(text) is FailureKind.PERMANENT


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Deployment is no longer progressing and not available.",
        'admission webhook "policy" denied the request: timeout of policy',
        'deployments.apps is forbidden: User "x" cannot create resource: not found',
    ],
)
def test_descriptions_of_which_only_time_tells(text: str):
    assert DEFAULT_POLICY.kind_of(text) is FailureKind.UNKNOWN


@pytest.mark.parametrize(
    ("reason", "message", "grace"),
    [
        ("InvalidImageName", "", 0.0),
        ("ErrImagePull", "i/o timeout", 60.0),
        ("ErrImagePull", 'failed to resolve reference "x": x: not found', 0.0),
        ("ImagePullBackOff", "Error: pull access denied, repository does not exist", 0.0),
        ("CreateContainerConfigError", 'secret "a" not found', 5.0),
        ("ContainerCreating", "", None),
        ("PodInitializing", "", None),
        ("", "", None),
    ],
)
def test_waiting_reasons(reason: str, message: str, grace: float | None):
    assert DEFAULT_POLICY.waiting_grace(reason, message) == grace


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"failed_grace": 5, "crash_loop_count": 10},
        {"waiting": {"ErrImagePull": None, "MyReason": 3}},
        {"descriptions": [["Quota", "permanent"]], "waiting_at_once": ["NEVER"]},
    ],
)
def test_policy_survives_json(given: dict[str, Any]):
    policy = FailurePolicy.from_json(given)
    plain = json.loads(json.dumps(policy.to_json()))
    assert FailurePolicy.from_json(plain) == policy
    assert plain.keys() == given.keys()


def test_waiting_reasons_are_merged_into_the_default():
    policy = FailurePolicy.from_json({"waiting": {"ErrImagePull": None, "MyReason": 3}})
    assert policy.waiting_grace("ErrImagePull", ": not found") is None
    assert policy.waiting_grace("MyReason", "") == 3.0
    assert policy.waiting_grace("InvalidImageName", "") == 0.0


def test_all_mistakes_are_named_at_once_with_the_nearest_name():
    with pytest.raises(InvalidRequestError) as caught:
        FailurePolicy.from_json(
            {"failed_grase": 1, "settle": "2", "weak_steady": -1, "descriptions": [["x", "maybe"]]}
        )
    text = str(caught.value)
    assert "failure_policy.failed_grase" in text
    assert "'failed_grace'" in text
    assert "settle: must be a number, not str" in text
    assert "weak_steady: must not be negative" in text
    assert "maybe" in text


def pod(
    name: str, *, replica_set: str = "iris-1", created: str = "2025-01-01T00:00:00Z", **status: Any
) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": replica_set, "controller": True}
    return {
        "metadata": {"name": name, "creationTimestamp": created, "ownerReferences": [owner]},
        "status": status,
    }


def test_pods_of_the_replica_set_that_the_deployment_names_are_the_newest():
    message = 'ReplicaSet "iris-1" is progressing.'
    child = CHILD | {
        "status": {"conditions": [{"type": "Progressing", "status": "True", "message": message}]}
    }
    pods = [pod("a"), pod("b", replica_set="iris-2", created="2025-02-01T00:00:00Z")]
    assert [one["metadata"]["name"] for one in newest_pods(child, pods)] == ["a"]
    assert [one["metadata"]["name"] for one in newest_pods(CHILD, pods)] == ["b"]


def test_replica_set_that_the_deployment_names_may_have_no_pods_yet():
    message = 'Created new replica set "iris-3"'
    child = CHILD | {
        "status": {"conditions": [{"type": "Progressing", "status": "True", "message": message}]}
    }
    assert newest_pods(child, [pod("a")]) == []


def test_stamp_tells_the_pods_of_a_fix_from_those_of_what_it_fixes():
    stamp = {"annotations": {ANNOTATION_REVISION: "new"}}
    child = CHILD | {"spec": {"template": {"metadata": stamp}}}
    broken, fixed = pod("broken", created="2025-02-01T00:00:00Z"), pod("fixed", replica_set="iris-0")
    assert newest_pods(child, [broken]) == []
    fixed["metadata"] |= stamp
    assert [one["metadata"]["name"] for one in newest_pods(child, [broken, fixed])] == ["fixed"]


def test_pods_of_others_and_dead_ones_are_not_looked_at():
    evicted = pod("evicted", phase="Failed", reason="Evicted")
    leaving = pod("leaving")
    leaving["metadata"]["deletionTimestamp"] = "2025-01-01T00:00:00Z"
    other = pod("other", replica_set="iris-canary-1")
    bare = {"metadata": {"name": "bare"}}
    assert newest_pods(CHILD, [evicted, leaving, other, bare]) == []


def test_initializer_that_runs_again_after_a_failure_has_failed():
    ended = {"exitCode": 1, "reason": "Error"}
    entry = {
        "name": "a-model-initializer",
        "restartCount": 1,
        "state": {"running": {}},
        "lastState": {"terminated": ended},
    }
    (problem,) = pod_problems(CHILD, [pod("p", initContainerStatuses=[entry])], DEFAULT_POLICY)
    assert problem.reason == "ModelInitializerFailed"
    assert "exit code 1 (Error), once" in problem.message


def test_initializer_that_got_through_in_the_end_is_fine():
    entry = {
        "name": "a-model-initializer",
        "restartCount": 2,
        "ready": True,
        "state": {"terminated": {"exitCode": 0}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    assert pod_problems(CHILD, [pod("p", initContainerStatuses=[entry])], DEFAULT_POLICY) == []


def test_server_that_is_running_again_is_given_its_chance():
    entry = {
        "name": "a",
        "restartCount": 9,
        "state": {"running": {}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    assert pod_problems(CHILD, [pod("p", containerStatuses=[entry])], DEFAULT_POLICY) == []
    crashed = entry | {"state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    (problem,) = pod_problems(CHILD, [pod("p", containerStatuses=[crashed])], DEFAULT_POLICY)
    assert (problem.reason, problem.grace) == ("CrashLoopBackOff", 0.0)


def test_a_problem_keeps_its_key_while_its_wording_changes():
    first, second = (
        {"name": "a", "state": {"waiting": {"reason": reason}}}
        for reason in ("ErrImagePull", "ImagePullBackOff")
    )
    keys = {
        pod_problems(CHILD, [pod("p", containerStatuses=[one])], DEFAULT_POLICY)[0].key
        for one in (first, second)
    }
    assert len(keys) == 1
