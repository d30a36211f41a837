"""Find this provider's deployments: labels narrow the LIST down, annotations decide."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_seldon.core.credentials.model_uri import served_uri
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_DAG_ID,
    ANNOTATION_IMPLEMENTATION,
    ANNOTATION_MODEL_NAME,
    ANNOTATION_MODEL_URI,
    ANNOTATION_RUN_ID,
    ANNOTATION_TASK_ID,
)
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.identity.label_value import label_value
from airflow_provider_seldon.core.resource.seldon_deployment import DeploymentState, SeldonDeployment
from airflow_provider_seldon.core.rollout.plan import newest_first
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.client import SeldonClient

#: Fact -> annotation that holds its full value.
ANNOTATIONS = {
    "dag_id": ANNOTATION_DAG_ID,
    "task_id": ANNOTATION_TASK_ID,
    "run_id": ANNOTATION_RUN_ID,
    "model_name": ANNOTATION_MODEL_NAME,
    "model_uri": ANNOTATION_MODEL_URI,
    "implementation": ANNOTATION_IMPLEMENTATION,
}


class DeploymentSearch:
    """
    Finds deployments of one namespace.

    :param client: client of that namespace.
    """

    def __init__(self, client: SeldonClient) -> None:
        self._client = client

    def find(
        self,
        *,
        facts: Mapping[str, str | None],
        running: bool = False,
        name: str | None = None,
        labels: Mapping[str, str] | None = None,
        everywhere: bool = False,
    ) -> list[SeldonDeployment]:
        """
        Return matching deployments, newest first.

        :param facts: values of :data:`ANNOTATIONS` that must be equal; None does not filter.
        :param running: only deployments whose state is ``Available``.
        :param labels: further labels that must be equal.
        :param everywhere: in every namespace of the cluster.
        """
        wanted = {ANNOTATIONS[fact]: value for fact, value in facts.items() if value is not None}
        if facts.get("model_uri"):
            wanted[ANNOTATION_MODEL_URI] = served_uri(str(facts["model_uri"]))
        known = Identity(
            dag_id=facts.get("dag_id") or "",
            task_id=facts.get("task_id") or "",
            model_name=facts.get("model_name") or "",
        )
        selectors = [known.selector()] + [
            f"{key}={label_value(value)}" for key, value in (labels or {}).items()
        ]
        found = self._client.find(
            labels=",".join(selectors),
            fields=f"metadata.name={paths.checked(name)}" if name else None,
            everywhere=everywhere,
        )
        return newest_first(
            deployment
            for deployment in found
            if all(deployment.annotations.get(key) == value for key, value in wanted.items())
            and (not running or deployment.state is DeploymentState.AVAILABLE)
        )

    def equivalents(self, wanted: Identity) -> list[SeldonDeployment]:
        """
        Return the deployments of the same model by the same DAG task, newest first.

        One that is being deleted is listed until its children are gone; see :func:`is_being_deleted`.
        """
        found = self._client.find(labels=wanted.selector())
        return newest_first(one for one in found if wanted.matches(one))


def is_being_deleted(deployment: SeldonDeployment) -> bool:
    """Return whether the deployment is being deleted."""
    return bool(deployment.metadata and deployment.metadata.deletion_timestamp)
