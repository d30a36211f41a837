"""
Another client acts between any two requests of a task: what they did is never lost, and what the task says is true.

The cases are those of ``test_crash_safety``, and ``make crash`` runs these tests, too. A newer run deploys, another try
of the same task runs to its end, somebody deletes, edits, scales or disowns the deployment: right before the k-th
request of a task, for every k. And every write of a task is sent once more, long after it has ended.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_provider_seldon.exceptions import DeploymentNotFoundError, RolloutError, SeldonError
from tests.integration.conftest import scale_by_kubectl
from tests.integration.crash_cases import (
    CRASHING,
    SCENARIOS,
    THREADS,
    Case,
    Cluster,
    Scenario,
    Task,
    applied,
    custom,
    in_parallel,
    version,
)
from tests.integration.interference import Interference
from tests.integration.test_crash_safety import FAST_PODS, cluster  # noqa: F401
from tests.integration.test_write_preconditions import patch, without_our_label

EVERYTHING = bool(os.environ.get("SELDON_CRASH_EVERYTHING"))
#: Versions that another client brings: the newer run's, and one that is edited by hand.
NEWEST, EDITED = 9, 666
#: Tasks that deploy; what others do on purpose (roll back, scale, delete) is done to whatever is there.
DEPLOYS = {
    name: SCENARIOS[name]
    for name in ("first deploy", "update", "deferred update", "failing update", "restart")
} | {
    "failing first deploy": Scenario(
        (),
        version(2, model_server=CRASHING, on_failure="delete_if_created"),
        serves=None,
        lists=1,
        fails=True,
    )
}


@pytest.fixture
def interference(monkeypatch: pytest.MonkeyPatch) -> Interference:
    return Interference(monkeypatch)


class Race:
    """One task, and what another client does right before its k-th request."""

    def __init__(self, cluster: Cluster, scenario: Scenario, interference: Interference) -> None:  # noqa: F811
        self.case = Case(cluster, scenario)
        self.scenario = scenario
        self._interference = interference
        self.met: list[str] = []
        self.reached = False
        self.ended: BaseException | None = None
        self.uri_then = ""

    def run(self, k: int, act: Callable[[Race], None]) -> None:
        def disturb() -> None:
            self.reached = True
            act(self)
            self.uri_then = self.uri()

        with self._interference.before(k, disturb) as self.met:
            try:
                self.again("run-1", 1)
            except (SeldonError, AirflowSkipException) as error:
                self.ended = error

    def again(self, *run: Any, task: Task | None = None) -> None:
        self.case._run(*(task or self.scenario.task), *run)

    def uri(self) -> str:
        try:
            graph = self.case.hook.client.get(self.scenario.name).predictors[0].graph
        except DeploymentNotFoundError:
            return ""
        return (graph.model_uri if graph else None) or ""

    @property
    def has_written(self) -> bool:
        """Whether the task had written the deployment when another client came."""
        return f"PATCH {self.scenario.name}" in self.met[:-1]

    def problems(self, *, serves: int | None) -> list[str]:
        self.case.scenario = dataclasses.replace(self.scenario, serves=serves)
        return self.case.problems()


def newer_run(race: Race) -> None:
    race.again("run-2", 1, task=version(NEWEST))


def other_try(race: Race) -> None:
    try:
        race.again("run-1", 2)
    except RolloutError:
        assert race.scenario.fails


def deletion(race: Race) -> None:
    client, name = race.case.hook.client, race.scenario.name
    client.delete(name, propagation="Background")
    client.wait_until_deleted(name)


def edit(race: Race) -> None:
    if race.uri():
        predictors = race.case.hook.client.get(race.scenario.name).to_manifest()["spec"]["predictors"]
        predictors[0]["graph"]["modelUri"] = f"s3://models/iris/{EDITED}"
        patch(race.case.hook, race.scenario.name, {"spec": {"predictors": predictors}})


def disowning(race: Race) -> None:
    if race.uri():
        without_our_label(race.case.hook, race.scenario.name)


def scaling(race: Race) -> None:
    if race.uri():
        scale_by_kubectl(race.case.hook, race.scenario.name, 2)


def after_a_newer_run(race: Race) -> list[str]:
    red = race.ended is not None and not isinstance(race.ended, AirflowSkipException)
    told = [f"the older run is red: {race.ended!r}"] if red and not race.scenario.fails else []
    return told + race.problems(serves=NEWEST)


def after_another_try(race: Race) -> list[str]:
    red = race.ended is not None and not isinstance(race.ended, RolloutError)
    return ([f"ended with {race.ended!r}"] if red else []) + race.problems(serves=race.scenario.serves)


def after_a_deletion(race: Race) -> list[str]:
    if race.ended is None and not race.uri():
        return ["it is green, and nothing is there"]
    if race.scenario.fails:
        return []
    race.again("run-1", 2)
    # Where nothing is left to keep, a decision not to deploy deploys all the same.
    return race.problems(serves=2 if says_no(race) else race.scenario.serves)


def says_no(race: Race) -> bool:
    """Whether the task's decision is not to deploy: it keeps what is there, edits by hand included."""
    return race.scenario.task[1].get("deploy_decision") is False


def after_an_edit(race: Race) -> list[str]:
    if race.has_written and race.uri() != race.uri_then:
        return [f"the edit is lost: {race.uri()}"]
    if race.ended is not None or race.has_written:
        return []
    if not says_no(race):
        return race.problems(serves=race.scenario.serves)
    # An edit by hand has no configuration to be built from again: the record stays that of the version it was made to.
    return [one for one in race.problems(serves=EDITED) if not one.startswith("proven ")]


def after_disowning(race: Race) -> list[str]:
    if race.uri_then and race.uri() != race.uri_then:
        return [f"somebody else's by now, and was written to: {race.uri()} instead of {race.uri_then}"]
    return []


def after_scaling(race: Race) -> list[str]:
    wrong = race.problems(serves=race.scenario.serves)
    if race.ended is not None and not race.scenario.fails:
        wrong.append(f"ended with {race.ended!r}")
    return wrong


DISTURBANCES: dict[str, tuple[Callable[[Race], None], Callable[[Race], list[str]]]] = {
    "a newer run": (newer_run, after_a_newer_run),
    "another try": (other_try, after_another_try),
    "a deletion": (deletion, after_a_deletion),
    "an edit": (edit, after_an_edit),
    "disowning": (disowning, after_disowning),
    "scaling": (scaling, after_scaling),
}
RACES = (
    [(name, what) for name in DEPLOYS for what in DISTURBANCES]
    if EVERYTHING
    else [("first deploy", "a newer run"), ("failing update", "another try"), ("update", "disowning")]
)


def disturbed(
    cluster: Cluster,  # noqa: F811
    interference: Interference,
    scenario: Scenario,
    what: str,
    k: int,
    *,
    ended: list[int],
) -> list[str]:
    act, check = DISTURBANCES[what]
    race = Race(cluster, scenario, interference)
    race.run(k, act)
    if not race.reached:
        ended.append(k)
        wrong = []
    else:
        wrong = check(race)
    clean_up(race.case)
    return [f"{what} before request {k} ({race.met[-1]}): {one}" for one in wrong]


def clean_up(case: Case) -> None:
    case.clean_up()
    try:
        case.hook.client.delete(case.scenario.name, propagation="Background")
    except SeldonError:
        return


@FAST_PODS
@pytest.mark.parametrize(("scenario", "what"), RACES)
def test_a_concurrent_change_between_two_requests_is_not_lost(
    cluster: Cluster,  # noqa: F811
    interference: Interference,
    scenario: str,
    what: str,
) -> None:
    ended: list[int] = []
    problems: list[str] = []
    first = 1
    while not ended:
        race = partial(disturbed, cluster, interference, DEPLOYS[scenario], what, ended=ended)
        problems += in_parallel([partial(race, k) for k in range(first, first + THREADS)])
        first += THREADS
    assert problems == []
    assert min(ended) > 1


LATE = [name for name in SCENARIOS if name != "prediction"] if EVERYTHING else ["update", "rollback"]


@FAST_PODS
@pytest.mark.parametrize("name", LATE)
def test_a_write_that_lands_long_after_its_task_has_ended_changes_nothing(
    cluster: Cluster,  # noqa: F811
    interference: Interference,
    name: str,
) -> None:
    """A proxy, or a connection that broke, may deliver a request when nobody waits for it any more."""
    case = Case(cluster, SCENARIOS[name])
    with interference.recorded() as writes:
        case.attempt(1)
    makes = {"custom": custom, "apply": applied}.get(SCENARIOS[name].task[0], version)
    case._run(*makes(NEWEST), "run-2", 1)
    before = _state(case)
    assert writes
    for write in writes:
        with contextlib.suppress(SeldonError):
            write()
        assert _state(case) == before
    case.clean_up()


def _state(case: Case) -> list[Any]:
    """What runs have written: not what the operator reports."""
    return [
        (one.uid, one.to_manifest()["spec"], one.labels, one.annotations) for one in case.hook.client.find()
    ]
