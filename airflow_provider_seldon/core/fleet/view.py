"""
What the fleet page shows about one deployment: plain values that can be stored as JSON.

The format is that of the JSON API, version 1: fields may be added, but never renamed or changed in meaning,
and empty fields are left out. It has no credentials, and of a spec only the fields below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_provider_seldon.core.fleet.plain import Plain
from airflow_provider_seldon.core.fleet.reaper_view import ReapingView


class Condition(StrEnum):
    """The condition of a deployment, in one word."""

    SERVING = "serving"
    PROGRESSING = "progressing"
    FAILED = "failed"
    ASLEEP = "asleep"
    DELETING = "deleting"


class Badge(StrEnum):
    """A mark on a deployment."""

    FOREIGN = "foreign"  # this provider did not make it
    ORPHANED = "orphaned"  # its DAG or task is gone
    DEGRADED = "degraded"  # this revision is proven, but not fully ready now
    SCALED_TO_ZERO = "scaled to zero"
    EXPIRED = "expired"
    UNLED = "canary without a run"  # its lease has expired


@dataclass(frozen=True, kw_only=True)
class PredictorView(Plain):
    """
    A predictor.

    :param name: its name.
    :param traffic: its share of the requests according to the spec, in percent.
    :param shadow: whether it only receives copies of requests, and its responses are dropped.
    :param wanted: number of desired pods.
    :param available: number of available pods.
    """

    name: str = ""
    traffic: int = 0
    shadow: bool = False
    wanted: int = 0
    available: int = 0


@dataclass(frozen=True, kw_only=True)
class CanaryView(Plain):
    """
    A canary in progress, according to its lease.

    :param step: number of the current step, from 1.
    :param steps: the candidate's share at each step, such as ``25 %``.
    :param stage: ``stepping``, ``holding`` or ``promoting``.
    :param run: DAG run that leads it.
    :param candidate: revision of the candidate.
    :param baseline: revision that served before.
    :param since: when the current step began to bake, in epoch seconds; 0 before that.
    :param expires: when its lease expires, in epoch seconds.
    :param verdict: the last one, such as ``pass``.
    :param numbers: the last measurements, one line for each metric.
    """

    step: int = 0
    steps: tuple[str, ...] = ()
    stage: str = ""
    run: str = ""
    candidate: str = ""
    baseline: str = ""
    since: float = 0.0
    expires: float = 0.0
    verdict: str = ""
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FailureView(Plain):
    """
    A run that failed to deploy.

    :param at: when it ended, in ISO 8601.
    :param cause: why, in a sentence; "" if it has not reported that.
    :param run_id: the run; :param map_index: and its index if it is mapped.
    """

    at: str = ""
    cause: str = ""
    run_id: str = ""
    map_index: int = -1


@dataclass(frozen=True, kw_only=True)
class DeploymentView(Plain):
    """
    A SeldonDeployment at the time of one look.

    :param connection: Airflow connection through which it was read.
    :param namespace: its namespace.
    :param name: its name.
    :param model_name: name of the model; "" for a foreign deployment.
    :param model_uri: where the model is loaded from, without credentials.
    :param implementation: server of the first node, such as ``SKLEARN_SERVER``.
    :param protocol: ``seldon``, ``v2`` or ``tensorflow``.
    :param revision: hash of what is deployed; "" for a foreign deployment.
    :param proven: whether that revision is proven.
    :param proven_at: since when; "" if that was not recorded.
    :param condition: see :class:`Condition`.
    :param reason: the CamelCase reason of the verdict.
    :param message: its sentence.
    :param cause: what is wrong with its pods, if anything.
    :param weaker: evidence that the verdict lacks.
    :param state: ``status.state``, which only the operator reports.
    :param wanted: number of desired pods.
    :param available: number of available pods.
    :param predictors: its predictors.
    :param canary: the canary in progress; None without one.
    :param dag_id: DAG that deployed it last.
    :param task_id: the task.
    :param run_id: the run.
    :param map_index: index of a mapped task; -1 if it is not mapped, or unknown.
    :param action: what that run did, such as ``created``.
    :param rolled_back_from: revision that the last rollback replaced; "" without one.
    :param metrics: metrics that were recorded with it.
    :param expires: when it expires; "" if it never does.
    :param created: when it was created.
    :param badges: see :class:`Badge`.
    :param uid: its Kubernetes UID, which changes when it is deleted and created again.
    :param noticed: when a reaper marked it as due; "" without a valid note.
    :param unreadable_lease: whether a canary is in progress that only a later release can read.
    :param reaping: what a reaper would do with it now; None if it stays.
    :param last_failure: the last run that failed to deploy it; None if none is known.
    """

    ALWAYS = ("condition",)

    connection: str = ""
    namespace: str = ""
    name: str = ""
    model_name: str = ""
    model_uri: str = ""
    implementation: str = ""
    protocol: str = ""
    revision: str = ""
    proven: bool = False
    proven_at: str = ""
    condition: str = Condition.PROGRESSING
    reason: str = ""
    message: str = ""
    cause: str = ""
    weaker: str = ""
    state: str = ""
    wanted: int = 0
    available: int = 0
    predictors: tuple[PredictorView, ...] = ()
    canary: CanaryView | None = None
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    map_index: int = -1
    action: str = ""
    rolled_back_from: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    expires: str = ""
    created: str = ""
    badges: tuple[str, ...] = ()
    uid: str = ""
    noticed: str = ""
    unreadable_lease: bool = False
    reaping: ReapingView | None = None
    last_failure: FailureView | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """Connection, namespace and name: unique in a fleet."""
        return (self.connection, self.namespace, self.name)


@dataclass(frozen=True, kw_only=True)
class VersionView(Plain):
    """
    A proven version.

    :param revision: its revision.
    :param proven_at: when it was proven; "" if that was not recorded.
    :param at: when it was proven, otherwise when its metrics were recorded, otherwise the date of its run; ""
        if none is known.
    :param run_id: run that deployed it; :param dag_id: and :param task_id: its DAG and task.
    :param metrics: its metrics.
    :param model_uri: where it was loaded from.
    :param withdrawn: a rollback replaced it.
    :param adopted: it was deployed before this provider took over the deployment.
    :param present: it is deployed now.
    """

    revision: str = ""
    proven_at: str = ""
    at: str = ""
    dag_id: str = ""
    task_id: str = ""
    run_id: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    model_uri: str = ""
    withdrawn: bool = False
    adopted: bool = False
    present: bool = False


@dataclass(frozen=True, kw_only=True)
class NodeView(Plain):
    """
    A node of an inference graph.

    :param depth: 0 for the root.
    """

    name: str = ""
    type: str = ""
    implementation: str = ""
    model_uri: str = ""
    depth: int = 0
    predictor: str = ""


@dataclass(frozen=True, kw_only=True)
class DetailView(Plain):
    """
    A deployment with its history.

    :param deployment: as the list shows it.
    :param versions: its proven versions, the last one first.
    :param nodes: nodes of its graphs, parents before children.
    :param roll_back_to: revision that a rollback goes back to; "" without one.
    :param diagnosis: why it is not ready, as a failed task reports it; "" if nothing is wrong, or it was not
        read.
    """

    deployment: DeploymentView = field(default_factory=DeploymentView)
    versions: tuple[VersionView, ...] = ()
    nodes: tuple[NodeView, ...] = ()
    roll_back_to: str = ""
    diagnosis: str = ""
