"""Whole stories as a client sees them: the same properties hold for ``local/`` and for recordings of a real operator.

The recordings are data of their own beside a checkout (``SELDON_CORPUS``); the stories are driven on ``local/`` in any
case.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon, OperatorFaults
from tests.integration.local.cluster_client import Cluster, Manifest, seldon_deployment, state, version_of
from tests.unit.core import corpus

CHILD = "iris-default-0-classifier"
NEVER_READY = {"local.seldon/behaviour": "never-ready"}
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is to be seen at one moment: of the deployment, and of its one child if it has one yet."""

    state: str
    generation: int = 0
    replicas: int | None = None
    status: Manifest = field(default_factory=dict)

    def count(self, name: str) -> int:
        return int(self.status.get(f"{name}Replicas", 0))

    @property
    def observed(self) -> int:
        return int(self.status.get("observedGeneration", 0))

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left to be done for the child."""
        counts = {self.count(name) for name in ("updated", "ready", "available")}
        return counts == {self.replicas} == {self.status.get("replicas", 0)}

    @property
    def progress(self) -> tuple[str, str]:
        for one in self.status.get("conditions") or []:
            if one["type"] == "Progressing":
                return one["status"], one.get("reason", "")
        return "", ""


def states(steps: list[Step]) -> list[str]:
    """The states in their order, without repetitions."""
    found = [one.state for one in steps if one.state]
    return [one for number, one in enumerate(found) if number == 0 or one != found[number - 1]]


def first_deploy(steps: list[Step]) -> None:
    assert states(steps) == ["Creating", "Available"]
    assert {one.generation for one in steps} <= {0, 1}
    assert all(one.is_whole for one in steps if one.state == "Available")
    assert any(one.state == "Creating" and one.count("unavailable") == 3 for one in steps)
    ready = [one.count("ready") for one in steps]
    assert ready == sorted(ready)
    assert ready[-1] == 3


def update(steps: list[Step]) -> None:
    generations = list(dict.fromkeys(one.generation for one in steps))
    assert generations == [generations[0], generations[0] + 1]
    assert (steps[0].state, steps[-1].state) == ("Available", "Available")
    assert any(one.state == "Available" and one.observed < one.generation for one in steps)
    # In the middle of the rollout it is called available although old pods serve.
    assert any(one.state == "Available" and 0 < one.count("updated") < 3 for one in steps)
    assert any(one.state == "Creating" for one in steps)
    assert all(one.count("ready") >= 3 and one.status["replicas"] <= 4 for one in steps)
    assert steps[-1].is_whole


def failed_update(steps: list[Step]) -> None:
    generations = list(dict.fromkeys(one.generation for one in steps))
    assert generations == [generations[0], generations[0] + 1]
    assert steps[0].state == "Available"
    assert steps[-1].state == "Creating"  # never Failed: the old pods serve
    assert steps[-1].progress == ("False", DEADLINE_EXCEEDED)
    assert all(one.count("ready") == 3 for one in steps)
    assert {one.count("updated") for one in steps if one.observed == generations[1]} <= {0, 1}


def hot_loop(steps: list[Step]) -> None:
    generations = [one.generation for one in steps]
    assert generations == sorted(generations)
    assert generations[-1] - generations[0] > 5
    assert {one.replicas for one in steps} == {1}
    assert any(one.observed < one.generation for one in steps)
    done = [
        number for number, one in enumerate(steps) if one.is_whole and one.generation > generations[0] + 1
    ]
    assert done
    after = steps[done[0] :]
    assert after[-1].generation > after[0].generation  # it continues when all is done
    assert states(after)[-1] == "Available"
    assert states(after).count("Available") == 1


STORIES: dict[str, Callable[[list[Step]], None]] = {
    "first-deploy-3-replicas": first_deploy,
    "update-3-replicas": update,
    "failed-update-deadline": failed_update,
    "update-without-replicas-hot-loop": hot_loop,
}


def recorded(story: str) -> list[list[Step]]:
    files = corpus.files(f"status/recorded-{story}.json")
    return [_steps_of(one) for file in files for one in json.loads(file.read_text())["scenarios"]]


def _steps_of(scenario: Manifest) -> list[Step]:
    found = []
    for moment in scenario["steps"]:
        child = next(iter(moment["deployments"]), {})
        found.append(
            Step(
                state=str((moment["sdep"].get("status") or {}).get("state", "")),
                generation=child.get("generation", 0),
                replicas=child.get("spec_replicas"),
                status=child.get("status") or {},
            )
        )
    return found


@pytest.mark.parametrize("story", STORIES)
def test_recording_of_a_real_operator_has_the_properties(story: str) -> None:
    scenarios = recorded(story)
    if not scenarios:
        pytest.skip("no recordings of a real operator on this machine")
    for steps in scenarios:
        STORIES[story](steps)


class Director:
    """Drives one deployment and writes down what is to be seen."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def record(self, act: Callable[[], Any], until: Callable[[Step], bool]) -> list[Step]:
        with (
            self.cluster.recorded("seldondeployments") as seen,
            self.cluster.recorded("deployments") as children,
        ):
            act()
            self.cluster.wait_for(self._now, until, 40)
        steps: list[Step] = []
        sdep: Manifest | None = None
        child: Manifest | None = None
        for one, is_child in sorted(
            [*((one, False) for one in seen), *((one, True) for one in children)],
            key=lambda pair: version_of(pair[0]),
        ):
            sdep, child = (sdep, one) if is_child else (one, child)
            if sdep is not None:
                steps.append(_step(sdep, child))
        return steps

    def _now(self) -> Step:
        return _step(self.cluster.get("iris"), next(iter(self.cluster.list("deployments")), None))


def _step(sdep: Manifest, child: Manifest | None) -> Step:
    if child is None:
        return Step(state=state(sdep) or "")
    return Step(
        state=state(sdep) or "",
        generation=child["metadata"]["generation"],
        replicas=child["spec"].get("replicas"),
        status=child.get("status") or {},
    )


def test_local_repeats_the_recordings_of_three_replicas() -> None:
    """Deployed, updated, and an update that does not come up within its deadline."""
    options = LocalOptions(
        token=None,
        kubelet="simulated",
        pod_startup=(0.1, 0.3),
        operator_faults=OperatorFaults(rollout_pause=0.1),
    )
    with LocalSeldon(options) as local:
        director = Director(Cluster(api_url=local.api_url, gateway_url=local.gateway_url))
        cluster = director.cluster
        manifest = seldon_deployment("iris", replicas=3, progressDeadlineSeconds=2)

        def is_done(one: Step) -> bool:
            return one.state == "Available" and one.is_whole and one.observed == one.generation

        first_deploy(director.record(lambda: cluster.create(manifest), is_done))
        generation = cluster.get(CHILD, "deployments")["metadata"]["generation"]
        steps = director.record(
            lambda: cluster.set_uri("iris", "gs://models/two"),
            lambda one: is_done(one) and one.generation > generation,
        )
        update(steps)

        def spoil(spec: Manifest) -> None:
            spec["predictors"][0] |= {"annotations": NEVER_READY}

        steps = director.record(
            lambda: cluster.update("iris", spoil),
            lambda one: one.progress[1] == DEADLINE_EXCEEDED and one.state == "Creating",
        )
        failed_update(steps)


def test_a_version_that_comes_back_keeps_the_condition_of_the_failed_one() -> None:
    """Its ReplicaSet is there already and as large: nothing advances before the failed one's pod is gone."""
    options = LocalOptions(token=None, kubelet="simulated", operator_faults=OperatorFaults(rollout_pause=0.3))
    with LocalSeldon(options) as local:
        director = Director(Cluster(api_url=local.api_url, gateway_url=local.gateway_url))
        cluster = director.cluster
        cluster.create(seldon_deployment("iris", replicas=1, progressDeadlineSeconds=1))
        cluster.wait_available("iris")

        def spoil(spec: Manifest) -> None:
            spec["predictors"][0] |= {"annotations": NEVER_READY}

        def heal(spec: Manifest) -> None:
            del spec["predictors"][0]["annotations"]

        failed = director.record(
            lambda: cluster.update("iris", spoil), lambda one: one.progress[1] == DEADLINE_EXCEEDED
        )[-1]
        steps = director.record(
            lambda: cluster.update("iris", heal),
            lambda one: one.generation > failed.generation and one.progress[1] == "NewReplicaSetAvailable",
        )
        seen = [one for one in steps if one.observed > failed.generation and not one.is_whole]
        assert seen[0].progress == ("False", DEADLINE_EXCEEDED)


def test_local_repeats_the_recording_of_the_hot_loop() -> None:
    options = LocalOptions(token=None, kubelet="simulated", pod_startup=(0.3, 0.5))
    with LocalSeldon(options) as local:
        director = Director(Cluster(api_url=local.api_url, gateway_url=local.gateway_url))
        director.cluster.create(seldon_deployment("iris"))
        director.cluster.wait_available("iris")
        steps = director.record(
            lambda: director.cluster.set_uri("iris", "gs://models/two"),
            lambda one: one.is_whole and one.generation > 12 and one.state == "Available",
        )
        hot_loop(steps)
