"""
Scheduler, triggerer and server of a real Airflow, driven over REST, against an operator that tells every lie.

What ``dag.test()`` cannot show: the trigger in its own triggerer, a user who ends or clears a task, a triggerer
that dies. All runs share one Airflow and continue at the same time; each DAG has its own deployment.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from tests.airflow_version import AIRFLOW_3_3
from tests.e2e.conftest import Platform
from tests.e2e.probe import GATEWAY_LAG, Probe, ask
from tests.e2e.rest import PATIENCE, TaskInstance, eventually

pytestmark = pytest.mark.timeout(900)

NEVER_READY = {"behaviour": "never-ready"}


def uri(dag_id: str, day: int) -> str:
    return f"s3://models/{dag_id}/{day}"


class Stage:
    """Airflow and Seldon Core, and the runs that are under way."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        self.airflow = platform.airflow
        self.local = platform.local
        self.first: dict[str, TaskInstance] = {}
        self.second: dict[str, TaskInstance] = {}
        self.probe = Probe(self.platform.url("update"))
        self.inline = Probe(self.platform.url("inline"))
        #: When a run of ``update`` was seen to have left the triggerer, so that its version was said to serve.
        self.released: dict[int, float] = {}
        self._worker = ThreadPoolExecutor(max_workers=1)
        self.dag_tests: Future[str]

    def run(self, dag_id: str, *, day: int, **conf: str) -> TaskInstance:
        return self.airflow.rest.run(dag_id, day=day, uri=uri(dag_id, day), **conf)

    def begin_dag_tests(self) -> None:
        """Run two versions of ``inline`` with ``dag.test()``, besides everything else."""
        self.dag_tests = self._worker.submit(
            self.airflow.dag_test,
            "inline",
            *({"uri": uri("inline", day)} for day in (1, 2)),
            pause=GATEWAY_LAG + 4,  # in which predictions are seen that the first version answers
        )

    def stop(self) -> None:
        self._worker.shutdown()
        self.probe.stop()
        self.inline.stop()

    def applied(self, name: str) -> list[float]:
        """When each version was requested, and for ever."""
        applies = self.local.requests.entries(resource="seldondeployments", name=name, verb="apply")
        return [one.started for one in applies] + [float("inf")]

    def proven(self, name: str) -> list[float]:
        """When each version was recorded as serving."""
        patches = self.local.requests.entries(resource="seldondeployments", name=name, verb="patch")
        return [one.started for one in patches]

    def revision(self, name: str) -> str:
        """The stamp of the present version, which its predictions carry."""
        (predictor,) = self.platform.deployment(name)["spec"]["predictors"]
        return str(predictor["annotations"][ANNOTATION_REVISION])

    def watch_update(self, day: int, task: TaskInstance) -> None:
        """Note when the triggerer lets the task continue."""
        task.wait_for("deferred")
        eventually("the wait ends", lambda: task.read()["state"] != "deferred", every=0.1)
        self.released[day] = time.time()
        task.wait_for("success")


@pytest.fixture(scope="module")
def stage(platform: Platform) -> Iterator[Stage]:
    """First versions serve, second ones are on their way; ``crash`` is on its first."""
    stage = Stage(platform)
    try:
        for dag_id in ("update", "kept", "put-back", "fenced"):
            stage.first[dag_id] = stage.run(dag_id, day=1)
        stage.first["crash"] = stage.run("crash", day=1, behaviour="crash:3")
        stage.watch_update(1, stage.first["update"])
        for dag_id in ("update", "kept", "put-back", "fenced"):
            stage.first[dag_id].wait_for("success")
            broken = NEVER_READY if dag_id in ("kept", "put-back") else {}
            stage.second[dag_id] = stage.run(dag_id, day=2, **broken)
        stage.begin_dag_tests()
        yield stage
    finally:
        stage.stop()


@pytest.mark.parametrize("day", [1, 2])
def test_from_when_the_wait_has_ended_the_new_version_answers_all_predictions(stage: Stage, day: int) -> None:
    if day == 2:
        stage.watch_update(2, stage.second["update"])
    moment = stage.released[day] + (GATEWAY_LAG if day == 1 else 0.0)
    answers = stage.probe.since(moment, until=stage.applied("update")[day])
    assert {one.error or one.uri for one in answers} == {uri("update", day)}
    if day == 2:
        assert {one.revision for one in answers} == {stage.revision("update")}


def test_a_user_who_ends_a_deferred_task_changes_nothing_by_default(stage: Stage) -> None:
    end_by_user(stage, "kept")
    writes = stage.platform.applies("kept")
    time.sleep(8)  # in which an undo would have begun: see the next test
    assert (stage.platform.applies("kept"), stage.platform.written_uri("kept")) == (writes, uri("kept", 2))
    assert ask(stage.platform.url("kept")).uri == uri("kept", 1)


@pytest.mark.skipif(not AIRFLOW_3_3, reason="Airflow tells triggers of it from 3.3 on")
def test_a_user_who_ends_a_deferred_task_has_it_rolled_back_where_that_is_requested(stage: Stage) -> None:
    end_by_user(stage, "put-back")
    eventually("put back", lambda: stage.platform.written_uri("put-back") == uri("put-back", 1))
    assert ask(stage.platform.url("put-back")).uri == uri("put-back", 1)
    assert stage.second["put-back"].read()["state"] == "failed"


@pytest.mark.skipif(AIRFLOW_3_3, reason="see the test above")
def test_before_airflow_3_3_a_rollback_by_the_user_is_inert_while_the_task_is_deferred(stage: Stage) -> None:
    end_by_user(stage, "put-back")
    writes = stage.platform.applies("put-back")
    time.sleep(8)
    assert (stage.platform.applies("put-back"), stage.platform.written_uri("put-back")) == (
        writes,
        uri("put-back", 2),
    )
    assert ask(stage.platform.url("put-back")).uri == uri("put-back", 1)


def test_an_old_run_that_is_cleared_after_a_newer_one_deployed_is_skipped(stage: Stage) -> None:
    stage.second["fenced"].wait_for("success")
    writes = stage.platform.applies("fenced")
    stage.first["fenced"].clear()
    eventually("the run begins again", lambda: stage.first["fenced"].read()["state"] != "success")
    stage.first["fenced"].wait_for("skipped")
    assert (stage.platform.applies("fenced"), stage.platform.written_uri("fenced")) == (
        writes,
        uri("fenced", 2),
    )
    assert ask(stage.platform.url("fenced")).uri == uri("fenced", 2)


def test_a_deferred_failure_is_reported_with_its_cause_and_the_progress_before_it(stage: Stage) -> None:
    task = stage.first["crash"]
    task.wait_for("failed")
    log = eventually("the end of the log", lambda: "RolloutFailedError" in task.log() and task.log())
    assert "crash: state " in log, "progress of the trigger"
    assert "models/crash does not become ready" in log
    assert "exit code 3" in log
    assert "simulated failure: exit code 3" in log, "the end of the container's own log"
    assert "Hint: the container exits right after its start" in log


def test_in_dag_test_too_the_new_version_answers_from_when_it_is_said_to_serve(stage: Stage) -> None:
    output = stage.dag_tests.result(PATIENCE)
    assert "models/inline, created by this run" in output, output
    assert "models/inline, updated by this run" in output, output
    assert "inline: state " in output, "deferred, and waited for"
    assert len(stage.proven("inline")) == 2, output
    for day in (1, 2):
        moment = stage.proven("inline")[day - 1] + (GATEWAY_LAG if day == 1 else 0.0)
        answers = stage.inline.since(moment, until=stage.applied("inline")[day])
        assert {one.error or one.uri for one in answers} == {uri("inline", day)}
    assert {one.revision for one in answers} == {stage.revision("inline")}


def test_no_prediction_fails_once_the_first_version_serves(stage: Stage) -> None:
    for probe in (stage.probe, stage.inline):
        predictions = probe.since(0.0)
        served = next(index for index, one in enumerate(predictions) if not one.error)
        assert [one for one in predictions[served:] if one.error] == []


def test_a_triggerer_that_is_killed_leaves_its_wait_to_the_next(stage: Stage) -> None:
    # The operator does nothing meanwhile, so that the wait cannot end by itself.
    with stage.platform.operator_paused():
        task = stage.run("resumed", day=1)
        stage.airflow.wait_until_deferred(task)
        before, after = stage.airflow.replace_triggerer(task)
    assert after[0] == before[0], "the same trigger, so with the same deadline"
    task.wait_for("success")
    assert ask(stage.platform.url("resumed")).uri == uri("resumed", 1)
    assert stage.platform.applies("resumed") == 1
    assert stage.platform.deployment("resumed")["metadata"]["generation"] == 1


def end_by_user(stage: Stage, dag_id: str) -> None:
    """Mark a task as failed while its trigger runs."""
    task = stage.second[dag_id]
    task.wait_for("deferred")
    task.in_triggerer()
    eventually("the trigger has looked at the deployment", lambda: f"{dag_id}: state " in task.log())
    task.mark_failed()
    assert task.read()["state"] == "failed"
