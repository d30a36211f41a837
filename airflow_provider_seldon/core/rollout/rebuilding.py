"""A version that was seen serving, built again from the configuration that made it."""

from __future__ import annotations

from collections.abc import Mapping

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_METRICS, ANNOTATION_ORDER
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.identity.revision import unstamped
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import items_at
from airflow_provider_seldon.core.rollout.history import ProvenVersion, secret_in_use


def rebuilt(
    version: ProvenVersion, deployment: SeldonDeployment, *, annotations: Mapping[str, str] | None = None
) -> SeldonDeployment:
    """
    Return ``deployment`` as it was in a version, whoever has deployed to it since.

    :param annotations: further annotations, which win over the version's own.
    :raises InvalidRequestError: the version was not made from a configuration, or from one that cannot be read.
    """
    if not version.config:
        raise InvalidRequestError.of(
            "revision", f"{version.revision} was recorded without its configuration", "deploy it again"
        )
    own = {ANNOTATION_METRICS: version.metrics, ANNOTATION_ORDER: version.order}
    given = {key: value for key, value in own.items() if value} | dict(annotations or {})
    built = ModelServer.parse(version.config, stored=True).to_deployment(
        identity=_identity(version, deployment),
        namespace=deployment.namespace,
        secret_name=version.secret_name or (None if version.adopted else secret_in_use(deployment)),
        annotations=given,
    )
    manifest = built.to_manifest()
    if version.adopted:
        # Pods that the owner made run on: a stamp would be another pod template.
        predictors = [unstamped(one) for one in items_at(manifest, "spec", "predictors")]
        manifest["spec"] = {**manifest["spec"], "predictors": predictors}
    return SeldonDeployment.from_manifest(
        {**manifest, "metadata": {**manifest["metadata"], "name": deployment.name}}
    )


def _identity(version: ProvenVersion, deployment: SeldonDeployment) -> Identity:
    """Return who deployed a version; its configuration says which model it is."""
    present = Identity.of(deployment)
    known = version if version.dag_id or version.task_id else present
    return Identity(dag_id=known.dag_id, task_id=known.task_id, run_id=version.run_id or present.run_id)
