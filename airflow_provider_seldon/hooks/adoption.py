"""What taking over somebody else's deployment changes, told before it is done."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.difference import difference
from airflow_provider_seldon.core.identity import is_managed
from airflow_provider_seldon.hooks.mask import redact
from airflow_provider_seldon.hooks.ownership import owners_of

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource import SeldonDeployment
    from airflow_provider_seldon.kube.client import SeldonClient

log = logging.getLogger(__name__)


def tell_adoption(
    client: SeldonClient,
    before: SeldonDeployment | None,
    wanted: SeldonDeployment,
    *,
    resource_version: str | None,
) -> None:
    """
    Log what an apply would change in a deployment that this provider did not make; the server says it in a dry run.

    :param before: the deployment as it is; nothing is logged for none, and for one of ours.
    :param wanted: what is going to be applied, and
    :param resource_version: on which version.
    """
    if before is None or is_managed(before):
        return
    after = client.apply(wanted, uid=before.uid, resource_version=resource_version, force=True, dry_run=True)
    log.warning(
        "Taking over %s/%s, which was made by %s:\n%s",
        client.namespace,
        before.name,
        ", ".join(owners_of(before)) or "somebody else",
        redact(difference(before, after)) or "No difference.",
    )
