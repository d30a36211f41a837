"""
Storage Secrets that a deployment uses, has used, or may own without using them.

A Secret for new credentials is created before the spec that names it is applied, owned by the deployment. A
task that is killed between the two, and not retried, leaves a Secret that no spec names. So its name is first
noted on the deployment, and the next deploy, whatever it deploys, deletes Secrets that were noted and are not
used.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowException

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_SECRETS
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.predictor import Explainer
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.delivery.storage.storage_secret import storage_secret_for
from airflow_provider_seldon.exceptions import ConflictError, DeploymentNotFoundError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.request.model_server import ModelServer
    from airflow_provider_seldon.core.resource.graph import PredictiveUnit
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.storage.storage_secret import StorageSecret
    from airflow_provider_seldon.delivery.target import Target
    from airflow_provider_seldon.kube.requests.client import SeldonClient

log = logging.getLogger(__name__)


def storage_secrets_of(deployment: SeldonDeployment) -> frozenset[str]:
    """Return the names of the Secrets that a deployment and its last proven version use."""
    proven = ProvenVersion.last_of(deployment)
    named = [holder.env_secret_ref_name for holder in _holders(deployment)]
    named.append(proven.secret_name if proven else None)
    return frozenset(name for name in named if name)


def former_secrets(before: SeldonDeployment | None, stored: SeldonDeployment) -> tuple[str, ...]:
    """Return the names of the Secrets that a deployment used or noted before a write, but not after it."""
    if before is None or before.uid != stored.uid:
        return ()
    named = {holder.env_secret_ref_name for holder in _holders(stored)}
    return tuple(sorted((storage_secrets_of(before) | _noted(before)) - named))


def note(
    client: SeldonClient, name: str, before: SeldonDeployment, resource_version: str | None
) -> str | None:
    """
    Note the name of a Secret on the deployment that will own it.

    :param resource_version: resource version of ``before``; the write fails if the deployment has changed
        since.
    :returns: the deployment's resource version afterwards.
    :raises ConflictError: it has changed since.
    """
    text = _text((_noted(before) - storage_secrets_of(before)) | {name})
    noted = client.annotate(
        before.name, {ANNOTATION_SECRETS: text}, uid=before.uid, resource_version=resource_version
    )
    return noted.metadata.resource_version if noted.metadata and resource_version else None


def restore_secret(client: SeldonClient, secret: StorageSecret, deployment: SeldonDeployment) -> None:
    """Re-create a request's storage Secret if a deployment uses it and it was deleted."""
    if secret.name in storage_secrets_of(deployment):
        secret.ensure(client, deployment, known=True)


def restore_secret_of(
    target: Target, server: ModelServer, wanted: SeldonDeployment, owner: SeldonDeployment
) -> None:
    """
    Re-create the storage Secret of a version that is about to run again, if it was deleted.

    Requests: one GET; none without a storage connection. That must still have the version's credentials,
    because a Secret's name is derived from them; otherwise nothing is done, and the pods report it.

    :param server: the configuration of ``wanted``.
    :param owner: the deployment as it is.
    """
    named = sorted({name for one in _holders(wanted) if (name := one.env_secret_ref_name)})
    if target.read_storage_connection is None or not named:
        return
    try:
        gone = [name for name in named if not target.client.secrets.exists(name)]
        if not gone:
            return
        bare = server.to_deployment(identity=Identity.of(owner), namespace=target.namespace)
        secret = storage_secret_for(target, server, bare)
    except (AirflowException, InvalidRequestError) as error:
        log.warning("Whether the storage Secret of %s exists is not known: %s", wanted.name, error)
        return
    if secret and secret.name in gone:
        secret.ensure(target.client, owner, known=True)


def usable_secret(client: SeldonClient, recorded: str, present: str | None) -> str:
    """
    Return the Secret for a rollback to a version: the recorded one, or the current one if that is gone.

    After a rotation the Secret of an older version has been deleted, and its credentials are probably
    invalid.
    """
    if not present or recorded in ("", present) or client.secrets.exists(recorded):
        return recorded
    return present


def release_unused(client: SeldonClient, name: str, candidates: Collection[str]) -> list[str]:
    """
    Delete the Secrets that a deployment no longer uses. Call it once its new version is ready.

    Not earlier, because until then the old version, or a rollback to it, still reads the old Secret.

    :param name: name of the deployment; the Secrets that it uses now are looked up, if there is any
        candidate.
    :param candidates: names of Secrets that it used, or noted, before. Secrets noted since are kept: they may
        be about to be used.
    :returns: names of the deleted Secrets; one with other users stays.
    """
    if not candidates:
        return []
    try:
        deployment = client.get(name)
    except DeploymentNotFoundError:
        return []  # garbage-collected with their owner
    unused = set(candidates) - storage_secrets_of(deployment)
    deleted = [secret for secret in sorted(unused) if client.secrets.release(secret, uid=deployment.uid)]
    noted = _noted(deployment)
    if noted & unused:
        version = deployment.metadata.resource_version if deployment.metadata else None
        # After a concurrent write it stays noted, and is checked again later.
        with contextlib.suppress(ConflictError, DeploymentNotFoundError):
            client.annotate(
                name,
                {ANNOTATION_SECRETS: _text(noted - unused) or None},
                uid=deployment.uid,
                resource_version=version,
            )
    return deleted


def _noted(deployment: SeldonDeployment) -> frozenset[str]:
    return frozenset(deployment.annotations.get(ANNOTATION_SECRETS, "").split())


def _text(names: Collection[str]) -> str:
    return " ".join(sorted(names))


def _holders(deployment: SeldonDeployment) -> Iterator[PredictiveUnit | Explainer]:
    """Yield the objects that can name a storage Secret: graph nodes and explainers."""
    for predictor in deployment.predictors:
        yield from predictor.nodes
        if isinstance(predictor.explainer, Explainer):
            yield predictor.explainer
