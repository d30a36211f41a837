"""
What reapers would do with the deployments of a fleet, and what they did.

``core.reaping.decision`` decides what they would do, from the last look and with the parameters of the reaper
that scanned there last. What they did comes from the reports of their tasks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.fleet.reaper_view import ReaperEvent, ReaperRun, ReapingView
from airflow_provider_seldon.core.fleet.view import Badge, Condition, DeploymentView
from airflow_provider_seldon.core.lifetime.expiry import Expiry
from airflow_provider_seldon.core.reaping.decision import GRACE, Facts, Led, decision_on
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts
from airflow_provider_seldon.core.resource.unstructured import seconds_at, utc_at
from airflow_provider_seldon.core.values.readers import MOST_SECONDS

#: Lists of a report with what was done, or failed.
DONE = ("aborted", "deleted", "marked", "cleared", "errors")
_LISTS = (*DONE, "orphans", "skipped")
#: Maximum number of deployments shown of each list of a report; a reaper of a whole cluster may list
#: thousands.
MOST_EVENTS = 200
_ENTRY = ("namespace", "name", "uid", "model_name", "dag_id", "task_id", "run_id", "reason")


def run_of(report: Any, **run: Any) -> ReaperRun:
    """
    Return a run of a reaper.

    :param report: the XCom that it pushed, in this release or an earlier one; anything that is not a report
        counts as none.
    :param run: the fields of :class:`ReaperRun` that Airflow knows.
    """
    if not isinstance(report, Mapping):
        return ReaperRun(**run)
    terms = report.get("terms")
    terms = terms if isinstance(terms, Mapping) else {}
    lists = {what: _entries(report.get(what)) for what in _LISTS}
    only = terms.get("only")
    return ReaperRun(
        **run,
        reported=True,
        dry_run=report.get("dry_run") is True,
        connection=_text(terms, "connection"),
        namespaces=tuple(str(one) for one in _list(terms.get("namespaces"))),
        grace=_seconds(terms.get("grace")),
        delete_orphans=terms.get("orphans") == "delete",
        only={str(key): str(value) for key, value in only.items()} if isinstance(only, Mapping) else {},
        counts={what: len(found) for what, found in lists.items() if found},
        events=tuple(_event(what, one) for what in DONE for one in lists[what][:MOST_EVENTS]),
    )


def reaping_of(
    view: DeploymentView,
    whereabouts: Whereabouts | None,
    runs: Sequence[ReaperRun],
    *,
    now: float,
    connections: Collection[str] = (),
) -> ReapingView | None:
    """
    Return what a reaper would do with a deployment; None if it stays as it is.

    :param whereabouts: where it comes from, as far as Airflow knows; None if no DAG made it.
    :param runs: runs of reapers, the latest first.
    :param now: epoch seconds.
    :param connections: all connections of the page; see :func:`covers`.
    """
    facts = _facts(view)
    orphan = whereabouts is not None and whereabouts.origin is Origin.GONE
    canary = facts.canary is not None and not facts.canary.holds(now)
    over = facts.expiry is not None and facts.expiry.is_over(now)
    if not (orphan or canary or over) or Badge.FOREIGN in view.badges or view.condition == Condition.DELETING:
        return None
    last = next((run for run in runs if covers(run, view, connections)), None)
    decision = decision_on(
        facts,
        now=now,
        grace=last.grace if last else GRACE,
        whereabouts=whereabouts,
        delete_orphans=last.delete_orphans if last else False,
    )
    if not decision.reason:
        return None
    after = utc_at(decision.after)
    return ReapingView(
        verdict=str(decision.verdict),
        reason=decision.reason,
        after=after.isoformat() if after is not None else "",
        dag_id=last.dag_id if last else "",
        task_id=last.task_id if last else "",
        run_id=last.run_id if last else "",
        looked_at=last.at if last else "",
        dry_run=last.dry_run if last else False,
    )


def covers(run: ReaperRun, view: DeploymentView, connections: Collection[str] = ()) -> bool:
    """
    Whether a run of a reaper has scanned a deployment, according to its report.

    A reaper may use its own connection, with more permissions, to the same cluster. But another
    connection of the page leads to another cluster, which may have a namespace of the same name.

    :param connections: all connections of the page.
    """
    if run.connection != view.connection and run.connection in connections:
        return False
    named = all(getattr(view, key, None) == value for key, value in run.only.items())
    return view.namespace in run.namespaces and named


def latest(runs: Iterable[ReaperRun]) -> list[tuple[ReaperRun, ReaperEvent]]:
    """
    Return what was done, the latest first; what every run reports again, such as an error or a dry run,
    appears once.

    :param runs: the latest first.
    """
    found: dict[tuple[Any, ...], tuple[ReaperRun, ReaperEvent]] = {}
    for run in runs:
        for event in run.events:
            key = (run.dag_id, run.task_id, run.dry_run, event.what, event.namespace, event.name, event.uid)
            found.setdefault(key, (run, event))
    return list(found.values())


def of_deployment(
    done: Iterable[tuple[ReaperRun, ReaperEvent]], view: DeploymentView
) -> list[tuple[ReaperRun, ReaperEvent]]:
    """Return what was done with one deployment."""
    return [(run, event) for run, event in done if _concerns(event, view)]


def _concerns(event: ReaperEvent, view: DeploymentView) -> bool:
    if event.uid and view.uid:
        return event.uid == view.uid
    # The report of an earlier release has no uid.
    same = ("namespace", "name", "dag_id", "task_id")
    return all(getattr(event, key) == getattr(view, key) for key in same)


def _facts(view: DeploymentView) -> Facts:
    led = Led() if view.unreadable_lease else None
    if view.canary is not None:
        step = "".join(view.canary.steps[view.canary.step - 1 : view.canary.step])
        led = Led(run=view.canary.run, expires=view.canary.expires, where=f"{view.canary.stage} at {step}")
    return Facts(
        managed=True,
        canary=led,
        expiry=_expiry(view),
        noticed=seconds_at(view.noticed),
    )


def _expiry(view: DeploymentView) -> Expiry | None:
    until = utc_at(seconds_at(view.expires))
    return Expiry(ttl=0.0, until=until) if until is not None else None


def _event(what: str, entry: Mapping[str, Any]) -> ReaperEvent:
    return ReaperEvent(what=what, **{key: _text(entry, key) for key in _ENTRY})


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in _list(value) if isinstance(one, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _seconds(value: Any) -> float:
    known = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST_SECONDS
    return float(value) if known else GRACE
