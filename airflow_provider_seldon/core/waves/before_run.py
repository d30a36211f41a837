"""
The state of a deployment before the first write of a DAG run, so that all changes of the run can be undone.

The versions of a deployment (``history``) do not show that: a version that a run restores unchanged, or
deploys again, counts as that run's afterwards, and the oldest of many versions are dropped. So the deploy
that changes a deployment records what it found, and later deploys of the same run keep that record. Restoring
another version drops it, because then nothing of the run is left. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_BEFORE_RUN, ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.canonical_json import canonical_json
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import ProvenVersion, json_object, proven_versions

#: Target of a rollback that undoes the changes of its own run.
BEFORE_RUN = "before_run"


@dataclass(frozen=True, kw_only=True)
class BeforeRun:
    """
    The state of a deployment before a run.

    :param dag_id: the run's DAG.
    :param run_id: its id.
    :param revision: previous revision; "" if there was none, or another owner's deployment.
    :param created: there was no deployment of that name.
    :param superseded: names of the deployments that the new one replaces, and that are deleted once it is
        ready.
    """

    dag_id: str
    run_id: str
    revision: str = ""
    created: bool = False
    superseded: Sequence[str] = ()

    @classmethod
    def of(cls, deployment: SeldonDeployment) -> Self | None:
        """Read the record of a deployment; None where there is none that can be read."""
        data = json_object(deployment.annotations.get(ANNOTATION_BEFORE_RUN))
        dag_id, run_id, revision = (data.get(key) for key in ("dag_id", "run_id", "revision"))
        names = data.get("superseded")
        if not (isinstance(dag_id, str) and isinstance(run_id, str) and run_id):
            return None
        return cls(
            dag_id=dag_id,
            run_id=run_id,
            revision=revision if isinstance(revision, str) else "",
            created=data.get("created") is True,
            superseded=tuple(str(name) for name in names) if isinstance(names, list) else (),
        )

    def is_of(self, *, dag_id: str, run_id: str) -> bool:
        """Return whether it is that run's."""
        return (self.dag_id, self.run_id) == (dag_id, run_id)

    def to_json(self) -> str:
        """Return the annotation's value; what is empty is left out."""
        data = {**vars(self), "superseded": list(self.superseded)}
        return canonical_json({key: value for key, value in data.items() if value})


def noted(
    before: SeldonDeployment | None, identity: Identity, *, superseded: Sequence[str] = ()
) -> dict[str, str]:
    """
    Return the annotation for a write of a run; none outside of a run.

    :param before: the deployment as it is found; None where there is none.
    :param identity: who deploys.
    :param superseded: names of the deployments that this one replaces.
    """
    if not identity.run_id:
        return {}
    earlier = BeforeRun.of(before) if before is not None else None
    if earlier is not None and earlier.is_of(dag_id=identity.dag_id, run_id=identity.run_id):
        return {ANNOTATION_BEFORE_RUN: earlier.to_json()}
    record = BeforeRun(
        dag_id=identity.dag_id,
        run_id=identity.run_id,
        revision=before.annotations.get(ANNOTATION_REVISION, "") if before is not None else "",
        created=before is None,
        superseded=tuple(superseded),
    )
    return {ANNOTATION_BEFORE_RUN: record.to_json()}


def kept_for(version: ProvenVersion, deployment: SeldonDeployment) -> Mapping[str, str]:
    """Return the record that stays when a version is restored that the same run has deployed."""
    record = BeforeRun.of(deployment)
    if record is None or not record.is_of(dag_id=version.dag_id, run_id=version.run_id):
        return {}
    return {ANNOTATION_BEFORE_RUN: record.to_json()}


def version_before(deployment: SeldonDeployment, record: BeforeRun) -> ProvenVersion | None:
    """
    Return the version to restore; None if the run did not change the version.

    If the version before the run was never seen ready, it is the last ready version of another run.

    :raises InvalidRequestError: there is none.
    """
    present = deployment.annotations.get(ANNOTATION_REVISION, "")
    if record.revision == present:
        return None
    versions = proven_versions(deployment)
    found = next((one for one in versions if record.revision and one.revision == record.revision), None)
    if found is None:
        others = (
            one
            for one in versions
            if not record.is_of(dag_id=one.dag_id, run_id=one.run_id)
            and one.revision != present
            and not one.withdrawn
        )
        found = next(others, None)
    if found is None:
        raise InvalidRequestError.of(
            "to",
            f"{deployment.name} has no proven version from before run {record.run_id}; before it, the "
            f"revision was {record.revision or 'unknown'}",
            "deploy a version that becomes ready",
            value=BEFORE_RUN,
        )
    return found
