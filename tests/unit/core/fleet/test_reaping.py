"""What the fleet page says that a reaper would do: the same as the reaper itself, with the reaper's own terms."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.fleet.reaper_view import ReaperRun
from airflow_provider_seldon.core.fleet.reaping import latest, of_deployment, reaping_of, run_of
from airflow_provider_seldon.core.fleet.view import DeploymentView
from airflow_provider_seldon.core.identity import annotations as keys
from airflow_provider_seldon.core.reaping.decision import decision_for, notice
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from tests.unit.core.cluster_objects import sdep
from tests.unit.core.fleet.test_reading import NOW, annotated, seen

GONE = Whereabouts(origin=Origin.GONE, reason="its DAG has no task deploy any more")
RUN = {"dag_id": "reaper", "task_id": "reap", "run_id": "run-1", "at": "2026-01-05T10:00:00+00:00"}
LEASE = Lease(run="run-1", candidate="b", baseline="a", steps=(Step(weight=10, bake=1),), expires=NOW)


def until(moment: float) -> str:
    return json.dumps({"v": 1, "ttl": 60, "until": datetime.fromtimestamp(moment, UTC).isoformat()})


def noticed(given: dict[str, Any], *, at: float) -> dict[str, Any]:
    """A deployment with a reaper's own note."""
    given["metadata"]["annotations"] |= notice(SeldonDeployment.from_manifest(given), now=at)
    return given


def with_canary(lease: str, **annotations: str) -> dict[str, Any]:
    given = annotated(**annotations)
    given["metadata"]["annotations"][ANNOTATION_CANARY] = lease
    return given


def report(**lists: Any) -> dict[str, Any]:
    terms = {"connection": "c", "namespaces": ["ns"], "grace": 600.0, "orphans": "report", "only": {}}
    return {"dry_run": False, "terms": {**terms, **lists.pop("terms", {})}, **lists}


def entry(view: DeploymentView, **more: str) -> dict[str, str]:
    return {key: getattr(view, key) for key in ("namespace", "name", "uid", "dag_id", "task_id")} | more


@pytest.mark.parametrize("later", [0.0, 1.0, 599.0, 601.0])
@pytest.mark.parametrize(
    "given",
    [
        annotated(),
        annotated(expiry=until(NOW - 1)),
        annotated(expiry=until(NOW + 300)),
        noticed(annotated(expiry=until(NOW - 1)), at=NOW),
        annotated(**{"expiry": until(NOW - 1), "expiry-noticed": '{"v": 1, "at": "x", "of": "else"}'}),
        with_canary(LEASE.to_json()),
        with_canary(LEASE.to_json(), expiry=until(NOW - 1)),
        with_canary("of a later release"),
    ],
    ids=["stays", "over", "not yet", "noticed", "void note", "unled", "led and over", "unreadable"],
)
def test_the_page_shows_what_the_reaper_decides(given: dict[str, Any], later: float) -> None:
    run = run_of(report(), **RUN)
    told = reaping_of(seen(given), None, [run], now=NOW + later)
    decided = decision_for(SeldonDeployment.from_manifest(given), now=NOW + later, grace=600.0)
    if told is None:
        # Nothing is due: it stays, an old note is removed, or somebody leads its canary.
        assert decided.verdict in {"stays", "clear", "left"}
        assert "until" in decided.reason or not decided.reason
    else:
        assert (told.verdict, told.reason) == (str(decided.verdict), decided.reason)


def test_what_is_marked_is_deleted_after_the_grace_of_the_reaper_that_looked_there_last() -> None:
    view = seen(noticed(annotated(expiry=until(NOW - 60)), at=NOW))
    runs = [
        run_of(report(terms={"namespaces": ["elsewhere"], "grace": 1.0}), **RUN),
        run_of(report(terms={"only": {"name": "another"}, "grace": 2.0}), **RUN),
        run_of(report(), **{**RUN, "run_id": "run-2"}),
    ]
    waits = reaping_of(view, None, runs, now=NOW + 599)
    assert waits is not None
    assert (waits.verdict, waits.run_id, waits.looked_at) == ("left", "run-2", RUN["at"])
    assert waits.after == datetime.fromtimestamp(NOW + 600, UTC).isoformat()
    due = reaping_of(view, None, runs, now=NOW + 600)
    assert due is not None
    assert due.verdict == "delete"
    nobody = reaping_of(view, None, [], now=NOW + 600)
    assert nobody is not None
    assert (nobody.verdict, nobody.run_id) == ("left", ""), "by default an hour"


def test_a_reaper_of_another_cluster_has_not_been_in_a_namespace_of_the_same_name() -> None:
    view = seen(annotated(expiry=until(NOW - 60)))
    found = {
        connection: reaping_of(
            view,
            None,
            [run_of(report(terms={"connection": connection}), **RUN)],
            now=NOW,
            connections={"c", "d"},
        )
        for connection in ("c", "d", "of the reaper alone")
    }
    run = RUN["run_id"]
    assert {key: told and told.run_id for key, told in found.items()} == {
        "c": run,
        "d": "",
        "of the reaper alone": run,
    }


def test_an_orphan_is_due_only_where_the_reaper_deletes_orphans() -> None:
    view = seen(annotated())
    assert reaping_of(view, GONE, [run_of(report(), **RUN)], now=NOW) is None
    told = reaping_of(view, GONE, [run_of(report(terms={"orphans": "delete"}), **RUN)], now=NOW)
    assert told is not None
    assert (told.verdict, told.reason) == ("notice", GONE.reason)
    unheard = replace(GONE, origin=Origin.UNHEARD_OF)
    assert reaping_of(view, unheard, [run_of(report(terms={"orphans": "delete"}), **RUN)], now=NOW) is None


def test_a_deployment_of_another_owner_or_one_being_deleted_is_not_due() -> None:
    foreign = seen(
        sdep(foreign=True, annotations={f"{keys.PREFIX}expiry": until(NOW - 1)}),
    )
    assert foreign.badges == ("foreign", "expired")
    assert reaping_of(foreign, None, [], now=NOW) is None
    going = replace(seen(annotated(expiry=until(NOW - 1))), condition="deleting")
    assert reaping_of(going, None, [], now=NOW) is None


def test_an_entry_that_each_run_repeats_is_shown_once_with_the_latest_run() -> None:
    view = seen(annotated())
    error = report(errors=[entry(view, reason="forbidden")])
    dry = {**report(marked=[entry(view, reason="over")]), "dry_run": True}
    runs = [run_of(one, **{**RUN, "run_id": f"run-{at}"}) for at, one in enumerate([error, dry, error, dry])]
    assert [(run.run_id, event.what, run.dry_run) for run, event in latest(runs)] == [
        ("run-0", "errors", False),
        ("run-1", "marked", True),
    ]


def test_what_was_done_belongs_to_the_very_deployment_that_it_was_done_to() -> None:
    view = replace(seen(annotated()), uid="new", dag_id="train", task_id="deploy")
    before = replace(view, uid="old")
    done = report(
        deleted=[entry(before, reason="over")],
        aborted=[entry(view, reason="nobody leads it")],
        cleared=[{**entry(view), "uid": ""}, {**entry(view), "uid": "", "task_id": "another"}],
    )
    found = of_deployment(latest([run_of(done, **RUN)]), view)
    assert [event.what for _, event in found] == ["aborted", "cleared"], "an earlier release names no id"


@pytest.mark.parametrize(
    "odd",
    [
        *(
            None,
            "text",
            [],
            {"terms": 1, "deleted": {}},
            {"deleted": [1, {"name": 2}], "terms": {"only": []}},
        ),
        {"terms": {"grace": True, "namespaces": "models", "only": {"name": None}}},
        *({"terms": {"grace": grace}} for grace in (float("nan"), -1, 10**400)),
    ],
)
def test_what_is_no_report_is_read_as_one_that_says_nothing(odd: Any) -> None:
    run = run_of(odd, **RUN)
    assert isinstance(run, ReaperRun)
    assert (run.grace, run.namespaces, run.dry_run) == (3600.0, (), False)
    assert [event.name for event in run.events] in ([], [""])
    assert reaping_of(seen(annotated(expiry=until(NOW - 1))), None, [run], now=NOW) is not None
