"""Pod logs: which container, what when there is none, and what the source is asked."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from airflow_provider_seldon.local.apiserver import ApiServer, LogOptions
from tests.integration.local.apiserver.rest import CORE, Rest, pod


class Logs:
    """A log source: a few fixed lines, followed slowly; remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, LogOptions]] = []

    async def stream(
        self, namespace: str, pod: str, container: str, *, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """Yield three lines, one of them empty."""
        self.asked.append((container, options))
        if options.previous and container == "side":
            raise LookupError("never restarted")
        lines = [f"{namespace}/{pod}/{container}\n".encode(), b"\n", b"last\n"]
        for line in lines[-options.tail :] if options.tail else lines:
            yield line


@pytest.fixture
def logs(local_api: ApiServer) -> Logs:
    """The server's log source."""
    source = Logs()
    local_api.log_source = source
    return source


def with_status(local: Rest, name: str, **states: object) -> None:
    """Make a pod of two containers with the given container states."""
    body = pod(name, nodeName="node")
    body["spec"]["containers"].append({"name": "side", "image": "side:1"})
    body["spec"]["initContainers"] = [{"name": "init", "image": "init:1"}]
    local.post(local.path(CORE, "pods"), body).ok()
    statuses = [
        {"name": container, "ready": False, "restartCount": 0, "image": "", "imageID": "", "state": state}
        for container, state in states.items()
    ]
    status = {"status": {"phase": "Running", "containerStatuses": statuses}}
    local.merge(local.path(CORE, "pods", name, "status"), status).ok()


def log(local: Rest, name: str, **query: object) -> tuple[int, str]:
    """Return code and text of a pod's log."""
    answer = local.get(local.path(CORE, "pods", name, "log"), **query)
    return answer.code, answer.body if isinstance(answer.body, str) else answer.message


def test_the_only_container_is_meant(local: Rest, logs: Logs) -> None:
    local.post(local.path(CORE, "pods"), pod("p", nodeName="node")).ok()
    assert log(local, "p") == (200, "default/p/main\n\nlast\n")


def test_a_pod_without_a_node_has_an_empty_log(local: Rest, logs: Logs) -> None:
    """As a kube-apiserver answers: 204, and no error."""
    local.post(local.path(CORE, "pods"), pod("p")).ok()
    assert log(local, "p") == (204, "")
    assert logs.asked == []


def test_one_of_several_containers_is_named(local: Rest, logs: Logs) -> None:
    with_status(local, "p", main={"running": {}}, side={"running": {}})
    assert log(local, "p") == (
        400,
        "a container name must be specified for pod p, choose one of: [main side] "
        "or one of the init containers: [init]",
    )
    assert log(local, "p", container="side") == (200, "default/p/side\n\nlast\n")
    assert log(local, "p", container="init")[0] == 200
    assert log(local, "p", container="other") == (400, "container other is not valid for pod p")


def test_a_container_that_waits_has_no_log(local: Rest, logs: Logs) -> None:
    waiting = {"waiting": {"reason": "PodInitializing"}}
    with_status(local, "p", main=waiting, side={"waiting": {"reason": "ImagePullBackOff"}})
    assert log(local, "p", container="main") == (
        400,
        'container "main" in pod "p" is waiting to start: PodInitializing',
    )
    assert log(local, "p", container="side") == (
        400,
        'container "side" in pod "p" is waiting to start: trying and failing to pull image',
    )


def test_a_run_before_this_one_must_have_been(local: Rest, logs: Logs) -> None:
    with_status(local, "p", main={"running": {}}, side={"running": {}})
    expected = (400, 'previous terminated container "main" in pod "p" not found')
    assert log(local, "p", container="main", previous="true") == expected


def test_a_crashed_container_has_a_log_while_it_waits(local: Rest, logs: Logs) -> None:
    with_status(local, "p")
    status = {
        "name": "main",
        "restartCount": 2,
        "ready": False,
        "image": "",
        "imageID": "",
        "state": {"waiting": {"reason": "CrashLoopBackOff"}},
        "lastState": {"terminated": {"exitCode": 1}},
    }
    local.merge(local.path(CORE, "pods", "p", "status"), {"status": {"containerStatuses": [status]}}).ok()
    assert log(local, "p", container="main")[0] == 200
    assert log(local, "p", container="main", previous="true")[0] == 200


def test_options_reach_the_source(local: Rest, logs: Logs) -> None:
    local.post(local.path(CORE, "pods"), pod("p", nodeName="node")).ok()
    query = {"tailLines": 1, "follow": "true", "sinceSeconds": 5, "timestamps": "true"}
    assert log(local, "p", **query) == (200, "last\n")
    assert logs.asked == [("main", LogOptions(follow=True, tail=1, since_seconds=5, timestamps=True))]


def test_bytes_are_limited(local: Rest, logs: Logs) -> None:
    local.post(local.path(CORE, "pods"), pod("p", nodeName="node")).ok()
    assert log(local, "p", limitBytes=9) == (200, "default/p")


def test_options_that_make_no_sense_are_refused(local: Rest, logs: Logs) -> None:
    local.post(local.path(CORE, "pods"), pod("p", nodeName="node")).ok()
    assert log(local, "p", tailLines=-1)[0] == 422
    assert log(local, "p", limitBytes=0)[0] == 422
    assert log(local, "nobody") == (404, 'pods "nobody" not found')


def test_without_a_kubelet_there_are_no_logs(local: Rest) -> None:
    local.post(local.path(CORE, "pods"), pod("p", nodeName="node")).ok()
    begun = time.monotonic()
    code, text = log(local, "p")
    assert (code, time.monotonic() - begun < 5) == (500, True)
    assert "no kubelet is connected" in text
