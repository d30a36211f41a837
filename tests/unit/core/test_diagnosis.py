from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.diagnosis import findings, hint


def pod(name: str = "iris-0", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


def container(name: str = "classifier", *, ready: bool = False, **entry: Any) -> dict[str, Any]:
    return {"name": name, "ready": ready, "restartCount": 0, **entry}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": message}}


def test_a_healthy_pod_has_no_findings() -> None:
    healthy = pod(containerStatuses=[container(ready=True, state={"running": {}})])
    assert findings([healthy]) == []


def test_a_pod_that_is_starting_normally_has_no_findings() -> None:
    starting = pod(containerStatuses=[container(state=waiting("ContainerCreating"))])
    assert findings([starting]) == []


def test_a_crash_loop_shows_the_exit_code_and_asks_for_the_previous_log() -> None:
    crashing = pod(
        containerStatuses=[
            container(
                restartCount=3,
                state=waiting("CrashLoopBackOff", "back-off 40s"),
                lastState={"terminated": {"exitCode": 1, "reason": "Error"}},
            )
        ]
    )
    (found,) = findings([crashing])
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
    assert findings([killed])[0].reason == "OOMKilled"
    assert "memory" in hint(str(findings([killed])[0]))


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
    (found,) = findings([stuck])
    assert found.container == "classifier-model-initializer"


def test_a_finished_initializer_is_no_finding() -> None:
    loaded = pod(
        initContainerStatuses=[container("init", ready=True, state={"terminated": {"exitCode": 0}})],
        containerStatuses=[container(ready=True, state={"running": {}})],
    )
    assert findings([loaded]) == []


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
    (found,) = findings([pending])
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
    assert [found.pod for found in findings([image, crash])] == ["b", "a"]


def test_no_known_cause_gives_no_hint() -> None:
    assert hint("all is well") == ""
