"""
Looking once: two reads of one deployment and its children, without a watch.

For a sensor that pokes. A watch would list the whole namespace to answer one question.
"""

from __future__ import annotations

from airflow_provider_seldon.core.children import child_ids
from airflow_provider_seldon.core.objects import items_at
from airflow_provider_seldon.exceptions import ForbiddenError, NotFoundError
from airflow_provider_seldon.kube import paths
from airflow_provider_seldon.kube.access import ClusterAccess
from airflow_provider_seldon.kube.object_cache import ID_LABEL
from airflow_provider_seldon.kube.session import ApiSession
from airflow_provider_seldon.kube.shared_watch import Snapshot


async def look(access: ClusterAccess, namespace: str, name: str) -> Snapshot:
    """
    Return a deployment and its children as they are stored this moment.

    :raises SeldonError: the subclass that the status code stands for; the right to read Deployments may lack.
    """
    session = ApiSession(access)
    try:
        try:
            deployment = await session.get(paths.seldon_deployments(namespace, name))
        except NotFoundError:
            return Snapshot(deployment=None, children=[])
        path = paths.deployments(namespace)
        try:
            answer = await session.get(
                path, {"labelSelector": f"{ID_LABEL} in ({','.join(child_ids(deployment))})"}
            )
        except ForbiddenError:
            return Snapshot(deployment=deployment, children=None)
        return Snapshot(deployment=deployment, children=items_at(answer, "items"))
    finally:
        await session.close()
