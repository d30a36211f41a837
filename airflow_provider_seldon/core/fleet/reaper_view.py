"""What the fleet page shows about reapers: what they would do, and did. Plain values, as in ``view``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_seldon.core.fleet.plain import Plain


@dataclass(frozen=True, kw_only=True)
class ReapingView(Plain):
    """
    What a reaper would do with a deployment now.

    :param verdict: ``abort``, ``notice``, ``delete``, or ``left``: something is due, but not now or not for a reaper.
    :param reason: why, in a sentence without a full stop.
    :param after: time from which it may be deleted, in ISO 8601; "" without a note.
    :param dag_id: DAG of the reaper that scanned there last; :param task_id: and :param run_id: its task and
        run. "" if none has reported.
    :param looked_at: when that was, in ISO 8601.
    :param dry_run: whether that reaper writes nothing.
    """

    verdict: str = ""
    reason: str = ""
    after: str = ""
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    looked_at: str = ""
    dry_run: bool = False


@dataclass(frozen=True, kw_only=True)
class ReaperEvent(Plain):
    """
    What a reaper did with one deployment.

    :param what: ``aborted``, ``deleted``, ``marked``, ``cleared`` or ``errors``.
    :param namespace: of the deployment; :param name: and :param uid: its name and Kubernetes' id.
    :param model_name: its model.
    :param dag_id: the DAG that deployed it; :param task_id: and :param run_id: its task and run.
    :param reason: why, in a sentence without a full stop.
    """

    what: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    model_name: str = ""
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class ReaperRun(Plain):
    """
    A run of a reaper.

    :param dag_id: its DAG; :param task_id: :param run_id: and :param map_index: its task and run.
    :param at: when it began, in ISO 8601.
    :param state: of the task.
    :param reported: whether it has left a report; without one, the remaining fields are empty.
    :param dry_run: whether it wrote nothing.
    :param connection: Airflow connection that it used.
    :param namespaces: namespaces that it scanned.
    :param grace: seconds between mark and deletion.
    :param delete_orphans: whether it deletes orphans.
    :param only: its filter, by ``name``, ``model_name`` or ``labels``.
    :param counts: number of deployments in each non-empty list of its report.
    :param events: what it did.
    """

    ALWAYS = ("grace",)

    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    map_index: int = -1
    at: str = ""
    state: str = ""
    reported: bool = False
    dry_run: bool = False
    connection: str = ""
    namespaces: tuple[str, ...] = ()
    grace: float = 3600.0
    delete_orphans: bool = False
    only: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    events: tuple[ReaperEvent, ...] = ()
