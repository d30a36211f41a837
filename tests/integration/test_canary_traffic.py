"""A canary with an ingress that the operator writes: what an abort costs, and what holds a shift of traffic back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.core.readiness.routes import routes_difference
from airflow_provider_seldon.delivery.canary import abort as aborting
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.transport import MERGE
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.operators.canary import (
    SeldonAbortCanaryOperator,
    SeldonCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.operators.deploy import SeldonDeployModelOperator
from tests.clusters import clusters, patience
from tests.clusters.local import LocalClusters, simulated
from tests.integration.conftest import scale_by_kubectl
from tests.integration.test_canary import (  # noqa: F401
    SERVED,
    TUESDAY,
    assert_serves,
    limits,
    operator,
    predictors,
    run,
    served,
)
from tests.integration.test_canary_disturbed import held
from tests.integration.test_reaper import hold_too_long, reap
from tests.integration.test_storage_secrets import wait_until

pytestmark = pytest.mark.simulated_pods("several rollouts")


@pytest.fixture(scope="module")
def shared_local_seldon() -> Iterator[Any]:
    """Seldon Core with Istio, where it is the tests' own."""
    own = type(clusters()) is LocalClusters
    with LocalSeldon(simulated(istio=True)) if own else clusters().seldon() as found:
        yield found


class Writes:
    """The changes that this provider makes on the cluster."""

    def __init__(self, local_seldon: Any) -> None:
        self._requests = local_seldon.requests

    def of(self, act: Callable[[], Any]) -> list[str]:
        """Do something, and return what it has written, as method and resource; not what was refused."""
        self._requests.clear()
        act()
        return [
            f"{one.method} {one.resource}"
            for one in self._requests.entries()
            if one.user_agent.startswith("airflow-provider")
            and one.method in {"POST", "PUT", "PATCH", "DELETE"}
            and one.status < 400
            and one.resource != "selfsubjectaccessreviews"
        ]


@pytest.fixture
def writes(local_seldon: Any) -> Writes:
    return Writes(local_seldon)


PATCH = "PATCH seldondeployments"
#: How long a change of traffic must last to count beside what the routes say.
HURRY = {"settle": 0.1}
#: Seconds for which an operator is down: longer than that.
DOWN = 0.8


@pytest.fixture
def down(local_seldon: Any) -> Iterator[Any]:
    """Lets the operator be down for a while."""
    timers = []

    def for_a_while() -> None:
        local_seldon.pause_operator()
        timers.append(threading.Timer(DOWN, local_seldon.resume_operator))
        timers[-1].start()

    yield for_a_while
    for timer in timers:
        timer.join()


def assert_routes(hook: SeldonHook, name: str) -> None:
    """That the ingress divides requests as the deployment says, at this moment."""
    routes = hook.client.routes(name)
    if routes is None:
        assert type(clusters()) is not LocalClusters
        return
    assert routes_difference(hook.client.get(name).to_manifest(), routes) == ""


def assert_baseline(hook: SeldonHook, name: str) -> None:
    """That nothing is left of a candidate: not in the routes, not among the Deployments."""
    assert_routes(hook, name)
    assert_serves(hook, name, "1")


def aborts(name: str, **of_task: Any) -> Any:
    task = operator(SeldonAbortCanaryOperator, name=name, failure_policy=HURRY)
    return run(task, logical_date=TUESDAY, **of_task)


def promotes(name: str) -> Any:
    task = operator(SeldonPromoteCanaryOperator, name=name, failure_policy=HURRY)
    return run(task, logical_date=TUESDAY)


def test_an_abort_is_one_write_whoever_aborts_and_none_where_no_canary_is_under_way(
    hook: SeldonHook,
    served: str,  # noqa: F811
    writes: Writes,
) -> None:
    assert writes.of(lambda: aborts(served)) == []
    held(hook, served)
    assert writes.of(lambda: aborts(served)) == [PATCH]
    assert_baseline(hook, served)
    assert writes.of(lambda: aborts(served)) == []

    hold_too_long(hook, served)
    assert writes.of(reap) == [PATCH]
    assert_baseline(hook, served)
    assert writes.of(reap) == []


def test_promoting_twice_is_success_and_writes_nothing_the_second_time(
    hook: SeldonHook,
    served: str,  # noqa: F811
    writes: Writes,
) -> None:
    held(hook, served)
    # Promote, finish, record the proof.
    assert writes.of(lambda: promotes(served)) == [PATCH] * 3
    assert_routes(hook, served)
    assert_serves(hook, served, "2")
    assert writes.of(lambda: promotes(served)) == []
    assert writes.of(lambda: aborts(served)) == []
    assert_serves(hook, served, "2")


@pytest.mark.own_operator("it is down for a while")
def test_an_abort_that_was_killed_after_its_write_is_waited_for_by_the_next_try(
    hook: SeldonHook,
    served: str,  # noqa: F811
    down: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def dies(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    held(hook, served)
    down()
    with monkeypatch.context() as killing:
        killing.setattr(aborting, "wait_out", dies)
        with pytest.raises(KeyboardInterrupt):
            aborts(served)
    aborts(served, try_number=2)
    assert_baseline(hook, served)


@pytest.mark.own_operator("its pods cannot be made for a while")
def test_a_predictor_that_is_unready_at_the_end_of_a_step_holds_the_next_weights_back(
    hook: SeldonHook,
    served: str,  # noqa: F811
    local_seldon: Any,
) -> None:
    scale_by_kubectl(hook, served, 2)
    wait_until(lambda: available(hook, served) == {"default": 2}, patience(20))
    losing = {0: "canary", 1: "default"}
    held_back: list[Any] = []

    def loses_a_pod(*, predictor: str, **where: Any) -> float:
        lease = Lease.of(hook.client.get(served))
        if lease is not None and predictor == "canary" and lease.step == len(held_back):
            lose_a_pod(hook, served, losing[lease.step], local_seldon)
        return 0.0

    policy = {"settle": 0.1, "crash_loop_count": 1, "suspect_after": 5}
    task = operator(
        steps=[5, 25], bake=0.2, analysis=limits(loses_a_pod), look_interval=600, failure_policy=policy
    )

    def lead(canary: Any) -> Any:
        leader = SeldonCanaryOperator._lead(task, canary)
        pause = leader.pause

        def noted(asked: Any, **more: Any) -> Any:
            lease = Lease.of(hook.client.get(served))
            if asked.expected is not None and lease is not None and lease.since is not None:
                held_back.append((lease.step, predictors(hook, served)))
                local_seldon.controller_faults.clear()
            return pause(asked, **more)

        leader.pause = noted
        return leader

    task._lead = lead
    result, _ = run(task, logical_date=TUESDAY)
    assert held_back == [
        (0, {"default": ("1", 95), "canary": ("2", 5)}),
        (1, {"default": ("1", 75), "canary": ("2", 25)}),
    ]
    assert [one["step"] for one in result["canary"]["steps"]] == ["5 %", "25 %"]
    assert_serves(hook, served, "2")


def lose_a_pod(hook: SeldonHook, name: str, predictor: str, local_seldon: Any) -> None:
    """Take one pod of a predictor away, and let nobody make another one until the faults are cleared."""
    local_seldon.controller_faults.add(
        Fault(verb="create", resource="pods", status=403, count=None, message="exceeded quota")
    )
    pods = [one["metadata"]["name"] for one in hook.client.pods.of_deployment(name)]
    pod = next(one for one in pods if one.startswith(f"{name}-{predictor}-"))
    hook.client._transport.request("DELETE", f"/api/v1/namespaces/{hook.namespace}/pods/{pod}")
    wait_until(lambda: available(hook, name)[predictor] < 2, patience(20))


def available(hook: SeldonHook, name: str) -> dict[str, int]:
    """Ready pods of each predictor."""
    return {
        child["metadata"]["name"].removeprefix(f"{name}-").partition("-")[0]: child["status"].get(
            "availableReplicas", 0
        )
        for child in hook.client.children(name)
    }


@pytest.mark.parametrize("ends", ["aborted", "promoted"])
def test_an_autoscaler_of_the_running_version_neither_ends_a_canary_nor_loses_its_number(
    hook: SeldonHook, ends: str
) -> None:
    autoscaled = {"model_server": {"extra_args": {"hpaSpec": {"minReplicas": 1, "maxReplicas": 4}}}}
    first, _ = run(operator(SeldonDeployModelOperator, **SERVED, **autoscaled), run_id="before")
    name = first["name"]
    held(hook, name, **autoscaled)
    child = next(one for one in hook.client.children(name) if f"{name}-default-" in one["metadata"]["name"])
    # What an HPA does: it sets the number of the Deployment itself.
    path = f"/apis/apps/v1/namespaces/{hook.namespace}/deployments/{child['metadata']['name']}"
    hook.client._transport.request("PATCH", path, body={"spec": {"replicas": 2}}, content_type=MERGE)
    wait_until(lambda: available(hook, name) == {"default": 2, "canary": 1}, patience(20))
    # A retry of the task that holds it continues with the same canary.
    held(hook, name, **autoscaled)
    if ends == "aborted":
        assert aborts(name)[0] == {"aborted": [name]}
    else:
        assert promotes(name)[0]["action"] == "updated"
    assert_routes(hook, name)
    assert_serves(hook, name, "1" if ends == "aborted" else "2")
    assert available(hook, name) == {"default": 2}
