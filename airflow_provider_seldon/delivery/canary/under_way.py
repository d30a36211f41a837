"""
A canary in progress, as read from the deployment: its lease, its baseline and its candidate.

Both versions are rebuilt from their records; nothing is read or written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, ANNOTATION_CANDIDATE, Lease
from airflow_provider_seldon.core.canary.predictors import main_of
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.identity import Identity, is_managed
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import ProvenVersion, has_served
from airflow_provider_seldon.core.rollout.rebuilding import rebuilt
from airflow_provider_seldon.core.rollout.replacement import refuse_other_mapped
from airflow_provider_seldon.exceptions import InvalidModelServerError, ReplacedError


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """
    A canary in progress.

    :param stored: the deployment as last stored.
    :param lease: its lease.
    :param expected: what to wait for, until every predictor is ready and the routes are those of the step.
    """

    stored: SeldonDeployment
    lease: Lease
    expected: Expectation

    @property
    def main(self) -> str:
        """Name of the main predictor."""
        return str(main_of(self.stored.to_manifest()["spec"]).get("name"))

    @classmethod
    def of(cls, current: SeldonDeployment, lease: Lease) -> UnderWay:
        """Return the canary that was found on a deployment, whoever wrote it."""
        return cls(stored=current, lease=lease, expected=Expectation.of_found(current))


def of_this_run(current: SeldonDeployment, run_id: str, wanted: SeldonDeployment) -> UnderWay | None:
    """Return the canary that this run has started with the wanted version; None if there is none."""
    lease = Lease.of(current)
    revision = wanted.annotations.get(ANNOTATION_REVISION)
    if lease is None or not run_id or (lease.run, lease.candidate) != (run_id, revision):
        return None
    return UnderWay.of(current, lease)


def refuse_other_mapped_leader(current: SeldonDeployment, identity: Identity) -> None:
    """
    Refuse to replace the candidate of another mapped task of the same run.

    :raises InvalidModelServerError: there is one.
    """
    lease = Lease.of(current)
    if lease is None:
        return
    of = ProvenVersion.from_json(current.annotations.get(ANNOTATION_CANDIDATE))
    leader = Identity(dag_id=of.dag_id, task_id=of.task_id, run_id=lease.run, map_index=lease.map_index)
    try:
        refuse_other_mapped(current.name, leader, identity)
    except InvalidRequestError as error:
        raise InvalidModelServerError.of(f"{identity.dag_id}.{identity.task_id}", error) from None


def has_baseline(current: SeldonDeployment, wanted: SeldonDeployment) -> bool:
    """Return whether the deployed version is proven, and differs from the wanted one."""
    last = ProvenVersion.last_of(current)
    revision = current.annotations.get(ANNOTATION_REVISION)
    return (
        is_managed(current)
        and has_served(current)
        and last is not None
        and not last.adopted
        and bool(last.config)
        and last.revision == revision != wanted.annotations.get(ANNOTATION_REVISION)
    )


def baseline_of(current: SeldonDeployment, *, annotations: Mapping[str, str]) -> SeldonDeployment:
    """
    Return the deployment without its canary, to be applied.

    :raises InvalidModelServerError: the previous version was not recorded.
    """
    last = ProvenVersion.last_of(current)
    try:
        if last is None:
            raise InvalidRequestError.of(
                "last-available", "is not recorded on the deployment", "deploy the desired version"
            )
        return rebuilt(last, current, annotations=annotations)
    except InvalidRequestError as error:
        raise InvalidModelServerError(f"The baseline of {current.name} cannot be rebuilt:\n{error}") from None


def candidate_of(current: SeldonDeployment) -> SeldonDeployment:
    """
    Return the deployment with the candidate's recorded content.

    :raises InvalidModelServerError: it cannot be rebuilt.
    """
    try:
        version = ProvenVersion.from_json(current.annotations.get(ANNOTATION_CANDIDATE))
        return rebuilt(version, current)
    except InvalidRequestError as error:
        raise InvalidModelServerError(
            f"The candidate of {current.name} cannot be rebuilt:\n{error}"
        ) from None


def canary_lost(namespace: str, name: str) -> ReplacedError:
    """Return the error for a run whose canary another client has ended."""
    where = f"{namespace}/{name}"
    return ReplacedError(
        f"{where}: CanaryReplaced: the canary no longer belongs to this run: another run or client has deployed, "
        "rolled back or ended it. It is left as it is.",
        reason="CanaryReplaced",
        deployment=where,
    )


def has_lease(deployment: SeldonDeployment) -> bool:
    """Return whether a deployment has a lease, readable or not."""
    return ANNOTATION_CANARY in deployment.annotations


def has_canary(deployment: SeldonDeployment) -> bool:
    """Return whether a canary is in progress, also one whose lease a later release has written."""
    return has_lease(deployment) and is_managed(deployment)


def is_of(
    deployment: SeldonDeployment, *, run: str, dag_id: str | None = None, candidate: str | None = None
) -> bool:
    """
    Return whether a canary is in progress that a DAG run has begun; the candidate's record counts if its lease cannot
    be read.

    :param run: id of the run. Runs of two DAGs with one schedule have the same.
    :param dag_id: its DAG; None for any.
    :param candidate: revision of its candidate; None for any.
    """
    if not has_lease(deployment):
        return False
    lease = Lease.of(deployment)
    version = ProvenVersion.from_json(deployment.annotations.get(ANNOTATION_CANDIDATE))
    found = (lease.run, lease.candidate) if lease else (version.run_id, version.revision)
    same_dag = not dag_id or version.dag_id in {"", dag_id}
    return found == (run, candidate or found[1]) and same_dag
