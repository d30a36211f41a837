"""Make room for a version in the annotations of its deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_HISTORY
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.rollout.annotation_space import history_to_fit
from airflow_provider_seldon.exceptions import InvalidModelServerError

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.kube.requests.client import SeldonClient


def make_room(
    client: SeldonClient,
    wanted: SeldonDeployment,
    before: SeldonDeployment | None,
    resource_version: str | None,
) -> str | None:
    """
    Drop the oldest versions from a deployment's history if a new version would not fit otherwise.

    :param resource_version: resource version of ``before``; the write fails if the deployment has changed
        since.
    :returns: the deployment's resource version afterwards.
    :raises InvalidModelServerError: there is no room for the version, or there would be none for its proof.
    """
    try:
        history = history_to_fit(wanted, before)
    except InvalidRequestError as error:
        raise InvalidModelServerError(f"Nothing was sent to the cluster:\n{error}") from None
    if history is None or before is None:
        return resource_version
    cut = {ANNOTATION_HISTORY: history}
    stored = client.annotate(before.name, cut, uid=before.uid, resource_version=resource_version)
    return stored.resource_version
