"""
The demo DAG, ``example_dags/continuous_deployment.py``, in a real Airflow, deferrable, driven over REST.

It has one deployment, so its runs come one after another, as they do for a user: each fixture continues where the one
before has stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Platform
from tests.e2e.probe import Prediction, Probe, ask
from tests.e2e.rest import TaskInstance, eventually

pytestmark = pytest.mark.timeout(600)

DAG_ID = "continuous_deployment"


class Demo:
    """The runs of the DAG, and what its deployment has answered since the first of them."""

    def __init__(self, platform: Platform, store: Path) -> None:
        self.platform = platform
        self.store = store.as_uri()
        self.tasks: dict[int, TaskInstance] = {}
        self.name = ""
        self.probe: Probe

    def run(self, day: int, *, max_depth: int) -> TaskInstance:
        """Start a run and return its task that deploys."""
        conf = {"store": self.store, "max_depth": max_depth}
        self.tasks[day] = self.platform.airflow.rest.run(DAG_ID, day=day, task="deploy", **conf)
        return self.tasks[day]

    def uri(self, day: int) -> str:
        """The model that a run has trained."""
        return f"{self.store}/iris/run-{day}"

    def asked(self, day: int) -> str:
        """What the run's own request for a prediction was answered."""
        predict = self.tasks[day].sibling("predict")
        predict.wait_for("success")
        return predict.log()

    def state(self) -> dict[str, Any]:
        """What must not change where nothing new is deployed."""
        names = [name for name in self.platform.names() if name.startswith("iris-")]
        assert names == [self.name], "one deployment, by whatever number of runs"
        found = self.platform.deployment(self.name)
        pods = {one.pod for one in (ask(self.platform.url(self.name)) for _ in range(10))}
        return {"uid": found["metadata"]["uid"], "generation": found["metadata"]["generation"], "pods": pods}


@pytest.fixture(scope="module")
def first(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A first run has ended well."""
    demo = Demo(platform, tmp_path_factory.mktemp("store"))
    with platform.operator_paused():
        task = demo.run(1, max_depth=2)
        platform.airflow.wait_until_deferred(task)
    task.wait_for("success")
    demo.name = task.xcom("name")
    demo.asked(1)
    demo.probe = Probe(platform.url(demo.name))
    yield demo
    demo.probe.stop()


@dataclass(frozen=True)
class Unchanged:
    """What was there before two runs that have nothing new to deploy, and after them."""

    demo: Demo
    before: dict[str, Any]
    after: dict[str, Any]


@pytest.fixture(scope="module")
def unchanged(first: Demo) -> Unchanged:
    """The first run has been cleared as a whole and has run again, together with a second one whose model is worse."""
    before = first.state()
    cleared, worse = first.tasks[1], first.run(2, max_depth=1)
    cleared.clear("train", "predict")
    eventually("the run begins again", lambda: cleared.read()["state"] != "success")
    for task in (cleared, worse):
        task.wait_for("success")
        task.sibling("predict").wait_for("success")
    return Unchanged(first, before, first.state())


@dataclass(frozen=True)
class Interrupted:
    """A third run that a user ended while it was deferred, and a fourth that outlived its triggerer."""

    demo: Demo
    ended: dict[str, Any]
    #: What answered after that.
    meanwhile: Prediction
    #: Ids of trigger and triggerer of the fourth run.
    before: tuple[int, int]
    after: tuple[int, int]
    #: All answers until then.
    answers: list[Prediction]


@pytest.fixture(scope="module")
def interrupted(unchanged: Unchanged) -> Interrupted:
    """
    Both wait while the operator is down, so neither can end by itself.

    So the version of the third run never serves: when the operator comes back it finds the next one.
    """
    demo, airflow = unchanged.demo, unchanged.demo.platform.airflow
    with demo.platform.operator_paused():
        third = demo.run(3, max_depth=3)
        airflow.wait_until_deferred(third)
        third.mark_failed()
        ended, meanwhile = third.read(), ask(demo.platform.url(demo.name))
        fourth = demo.run(4, max_depth=4)
        airflow.wait_until_deferred(fourth)
        before, after = airflow.replace_triggerer(fourth)
        answers = list(demo.probe.predictions)
    fourth.wait_for("success")
    return Interrupted(demo, ended, meanwhile, before, after, answers)


def test_a_run_trains_deploys_and_is_answered_by_what_it_deployed(first: Demo) -> None:
    deploy = first.tasks[1]
    assert deploy.xcom("action") == "created"
    assert deploy.xcom("decision") == "deploy: MetricThreshold: accuracy 0.933333 is at least 0.9"
    assert deploy.xcom("model_uri") == first.uri(1)
    assert f"{first.name}: state " in deploy.log(), "deferred, and waited for"
    assert first.uri(1) in first.asked(1)
    assert ask(deploy.xcom("prediction_url")).uri == first.uri(1)


def test_a_run_that_is_cleared_comes_to_the_same_deployment_without_a_rollout(unchanged: Unchanged) -> None:
    demo, deploy = unchanged.demo, unchanged.demo.tasks[1]
    assert unchanged.after == unchanged.before
    # At least: on 2.11 it was 4 once, when the run was cleared before it was over; why so many is not known.
    assert deploy.read()["try_number"] >= 2
    assert deploy.xcom("name") == demo.name
    assert demo.uri(1) in demo.asked(1)


def test_a_worse_model_is_rejected_and_the_running_version_predicts(unchanged: Unchanged) -> None:
    demo, deploy = unchanged.demo, unchanged.demo.tasks[2]
    assert unchanged.after == unchanged.before
    assert deploy.xcom("action") == "reused"
    assert deploy.xcom("decision").startswith("do not deploy: MetricThreshold: accuracy 0.66")
    assert demo.uri(1) in demo.asked(2)


def test_a_deferred_run_that_a_user_marks_as_failed_keeps_the_running_version(
    interrupted: Interrupted,
) -> None:
    demo = interrupted.demo
    assert interrupted.ended["state"] == "failed"
    assert interrupted.meanwhile.uri == demo.uri(1)
    assert {one.error or one.uri for one in interrupted.answers} == {demo.uri(1)}
    demo.tasks[3].sibling("predict").wait_for("upstream_failed")


def test_a_deferred_run_outlives_its_triggerer_and_replaces_the_running_version(
    interrupted: Interrupted,
) -> None:
    demo, deploy = interrupted.demo, interrupted.demo.tasks[4]
    assert interrupted.after[0] == interrupted.before[0], "the same trigger, so with the same deadline"
    assert deploy.xcom("action") == "updated"
    assert demo.uri(4) in demo.asked(4)
    assert demo.state()["generation"] == 3, "a write for each version, and none for the run that was ended"
    answers = demo.probe.since(0.0)
    assert {one.error or one.uri for one in answers} == {demo.uri(1), demo.uri(4)}
