"""
What the fleet page shows of one deployment: plain values that survive being written down as JSON.

The form is that of the JSON API, version 1: fields are added, never renamed or given another meaning, and what is empty
is left out. No credential is in it, and nothing of a spec but what is named here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from airflow_provider_seldon.core.fleet.plain import Plain
from airflow_provider_seldon.core.fleet.reaper_view import ReapingView


class Condition(StrEnum):
    """How a deployment is, in one word."""

    SERVING = "serving"
    PROGRESSING = "progressing"
    FAILED = "failed"
    ASLEEP = "asleep"
    DELETING = "deleting"


class Badge(StrEnum):
    """What a deployment is marked with."""

    FOREIGN = "foreign"  # this provider did not make it
    ORPHANED = "orphaned"  # its DAG or task is gone
    DEGRADED = "degraded"  # this revision was seen serving, and does not serve completely now
    SCALED_TO_ZERO = "scaled to zero"
    EXPIRED = "expired"
    UNLED = "canary without a run"  # its lease is over


@dataclass(frozen=True, kw_only=True)
class PredictorView(Plain):
    """
    A predictor.

    :param name: its name.
    :param traffic: the part of the requests that it is meant to answer, in percent.
    :param shadow: whether it gets copies of requests, and nobody sees its answers.
    :param wanted: pods that it should have.
    :param available: pods that are available.
    """

    name: str = ""
    traffic: int = 0
    shadow: bool = False
    wanted: int = 0
    available: int = 0


@dataclass(frozen=True, kw_only=True)
class CanaryView(Plain):
    """
    A canary under way, as its lease says it.

    :param step: number of the present step, from 1.
    :param steps: what each step gives to the candidate, such as ``25 %``.
    :param stage: ``stepping``, ``holding`` or ``promoting``.
    :param run: DAG run that leads it.
    :param candidate: revision of the candidate.
    :param baseline: revision that served before.
    :param since: when the present step began to bake, in epoch seconds; 0 before that.
    :param expires: when its lease is over, in epoch seconds.
    :param verdict: the last one, such as ``pass``.
    :param numbers: what was measured last, a line a metric.
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
    :param cause: why, in a sentence; "" where it has not told.
    :param run_id: the run; :param map_index: and its index where it is mapped.
    """

    at: str = ""
    cause: str = ""
    run_id: str = ""
    map_index: int = -1


@dataclass(frozen=True, kw_only=True)
class DeploymentView(Plain):
    """
    A SeldonDeployment, as one look shows it.

    :param connection: Airflow connection that it was seen through.
    :param namespace: its namespace.
    :param name: its name.
    :param model_name: name of the model; "" for a foreign deployment.
    :param model_uri: where the model is loaded from, without credentials.
    :param implementation: server of the first node, such as ``SKLEARN_SERVER``.
    :param protocol: ``seldon``, ``v2`` or ``tensorflow``.
    :param revision: hash of what is deployed; "" for a foreign deployment.
    :param proven: whether that revision was seen serving.
    :param proven_at: when; "" where that was not recorded.
    :param condition: see :class:`Condition`.
    :param reason: one CamelCase word of the verdict.
    :param message: its sentence.
    :param cause: what is wrong with its pods, where something is.
    :param weaker: what the verdict is not known from.
    :param state: ``status.state``, which is the operator's word alone.
    :param wanted: pods that it should have.
    :param available: pods that are available.
    :param predictors: its predictors.
    :param canary: the canary under way; None where there is none.
    :param dag_id: DAG that deployed it last.
    :param task_id: the task.
    :param run_id: the run.
    :param map_index: index of a mapped task; -1 where it is not mapped, or not known.
    :param action: what that run did, such as ``created``.
    :param rolled_back_from: revision that a rollback went back from last; "" where there was none.
    :param metrics: metrics that were recorded with it.
    :param expires: when its time is over; "" where it is meant to stay.
    :param created: when it was created.
    :param badges: see :class:`Badge`.
    :param uid: Kubernetes' own id of it: another one after it was deleted and made again.
    :param noticed: when a reaper has noted that it is due; "" where no note counts for it as it is.
    :param unreadable_lease: whether a canary is under way that only a later release can read.
    :param reaping: what a reaper would do with it now; None where it stays.
    :param last_failure: the last run that failed to deploy it; None where none is known.
    """

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
    A version that was seen serving.

    :param revision: its revision.
    :param proven_at: when it was proven; "" where that was not recorded.
    :param at: when its metrics were recorded or else its run was meant to run; "" where neither is known.
    :param run_id: run that deployed it; :param dag_id: and :param task_id: its DAG and task.
    :param metrics: its metrics.
    :param model_uri: where it was loaded from.
    :param withdrawn: a rollback went back from it.
    :param adopted: it is what was there before the deployment was taken over.
    :param present: it is what is deployed now.
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
    A deployment with its past.

    :param deployment: as the list shows it.
    :param versions: versions that were seen serving, the last one first.
    :param nodes: nodes of its graphs, parents before children.
    :param roll_back_to: revision that a rollback goes back to; "" where there is none.
    :param diagnosis: why it does not serve, as a failed task tells it; "" where nothing is wrong, or it was not read.
    """

    deployment: DeploymentView = field(default_factory=DeploymentView)
    versions: tuple[VersionView, ...] = ()
    nodes: tuple[NodeView, ...] = ()
    roll_back_to: str = ""
    diagnosis: str = ""
