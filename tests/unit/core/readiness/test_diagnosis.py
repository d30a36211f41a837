from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_seldon.core.readiness.diagnosis import causes_of, events_about, hint, telling_lines


def pod(name: str = "iris-0", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def container(name: str = "classifier", *, ready: bool = False, **entry: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": 0, **entry}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def test_a_healthy_pod_has_no_causes() -> None:
    healthy = pod(containerStatuses=[container(ready=True, state={"running": {}})])
    assert causes_of([healthy]) == []


def test_a_pod_that_is_starting_normally_has_no_causes() -> None:
    starting = pod(containerStatuses=[container(state=waiting("ContainerCreating"))])
    assert causes_of([starting]) == []


def test_a_crash_loop_shows_the_exit_code_and_requests_the_previous_log() -> None:
    crashing = pod(
        containerStatuses=[
            container(
                restartCount=3,
                state=waiting("CrashLoopBackOff", "back-off 40s"),
                lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
            )
        ]
    )
    (found,) = causes_of([crashing])
    assert (found.reason, found.exit_code, found.previous_log) == ("CrashLoopBackOff", 1, True)
    assert str(found) == "pod iris-0, container classifier: CrashLoopBackOff, exit code 1: back-off 40s"


def test_out_of_memory_is_named_even_behind_a_crash_loop() -> None:
    killed = pod(
        containerStatuses=[
            container(
                state=waiting("CrashLoopBackOff"),
                lastState={"terminated": {"exitCode": 137, "reason": "OOMKilled"}},
            )
        ]
    )
    assert causes_of([killed])[0].reason == "OOMKilled"
    assert "memory" in hint(str(causes_of([killed])[0]))


def test_a_failed_initializer_hides_the_containers_that_wait_for_it() -> None:
    stuck = pod(
        initContainerStatuses=[
            container(
                "classifier-model-initializer",
                state=waiting("CrashLoopBackOff"),
                lastState={"terminated": {"exitCode": 3}},
            )
        ],
        containerStatuses=[container(state=waiting("PodInitializing"))],
    )
    (found,) = causes_of([stuck])
    assert found.container == "classifier-model-initializer"


def test_a_finished_initializer_is_no_cause() -> None:
    loaded = pod(
        initContainerStatuses=[container("init", ready=True, state={"terminated": {"exitCode": 0}})],
        containerStatuses=[container(ready=True, state={"running": {}})],
    )
    assert causes_of([loaded]) == []


def test_an_unschedulable_pod_says_why() -> None:
    pending = pod(
        conditions=[
            {
                "type": "PodScheduled",
                "status": "False",
                "reason": "Unschedulable",
                "message": "0/3 nodes are available: 3 Insufficient nvidia.com/gpu.",
            }
        ]
    )
    (found,) = causes_of([pending])
    assert found.reason == "Unschedulable"
    assert "GPU" in hint(str(found))


def test_what_ended_comes_before_what_waits() -> None:
    image = pod("a", containerStatuses=[container(state=waiting("ImagePullBackOff"))])
    crash = pod(
        "b",
        containerStatuses=[
            container(state=waiting("CrashLoopBackOff"), lastState={"terminated": {"exitCode": 2}})
        ],
    )
    assert [found.pod for found in causes_of([image, crash])] == ["b", "a"]


def test_no_known_cause_gives_no_hint() -> None:
    assert hint("all is well") == ""


def test_the_error_is_shown_even_when_an_orderly_shutdown_follows_it() -> None:
    log = [
        "INFO - starting",
        "ERROR - Some of the models failed to load during startup!",
        "Traceback (most recent call last):",
        '  File "server.py", line 1, in start',
        "    await load()",
        "IsADirectoryError: [Errno 21] Is a directory: '/mnt/models'",
        *["INFO - shutting down"] * 20,
    ]
    assert telling_lines(log, 10) == log[2:6]
    assert telling_lines(log, 2) == log[4:6]


def test_without_a_traceback_the_last_error_and_what_is_around_it_is_shown() -> None:
    log = [*["INFO - before"] * 5, "ERROR : iris: Failed to copy: NoSuchKey", *["INFO - after"] * 30]
    assert log[5] in telling_lines(log, 6)
    assert len(telling_lines(log, 6)) == 6


def test_without_any_error_the_last_lines_are_shown() -> None:
    assert telling_lines(["a", "b", "c"], 2) == ["b", "c"]


def event(kind: str, name: str, *, uid: str = "", at: str = "2026-01-05T10:00:00Z") -> dict[str, Any]:
    return {"involvedObject": {"kind": kind, "name": name, "uid": uid}, "lastTimestamp": at}


def test_events_of_pods_that_are_gone_and_of_an_earlier_deployment_of_the_name_tell_of_other_troubles() -> (
    None
):
    ours = [
        event("Pod", "iris-default-0-x", uid="pod-now"),
        event("SeldonDeployment", "iris"),
        event("ReplicaSet", "iris-default-0-classifier-5d"),
    ]
    others = [
        event("Pod", "iris-default-0-x", uid="pod-before"),
        event("SeldonDeployment", "iris", at="2026-01-05T09:00:00Z"),
        event("ReplicaSet", "iris-default-0-classifier-5d", at="2026-01-05T09:00:00Z"),
        event("ReplicaSet", "irises-default-0-classifier-5d"),
        {"message": "about nothing"},
    ]
    found = events_about("iris", [*others, *ours], pods=["pod-now"], since="2026-01-05T09:30:00Z")
    assert found == ours


@pytest.mark.parametrize("uri", ["models:/iris/3", "runs:/0123abcd/model"])
def test_a_uri_of_mlflow_gets_a_hint_that_leads_somewhere(uri: str) -> None:
    scheme = uri.partition(":")[0]
    log = f'Failed to create file system for "{uri}": didn\'t find section in config file ("{scheme}")'
    assert "SeldonStageModelOperator" in hint(log)
    assert "name a storage Secret" in hint(log.replace(uri, "gs://models/iris").replace(scheme, "gs"))
