"""
The cases in which a deploy must not replace a deployment.

Equivalents replace each other by design. Exceptions are mapped tasks of one run that share a model name, and
a deploy that adds a deployment (``replace=False``) under a name that is taken.
"""

from __future__ import annotations

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.identity import Identity, is_managed
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


def refuse_to_replace(
    before: SeldonDeployment, wanted: SeldonDeployment, identity: Identity, *, replace: bool
) -> None:
    """
    Refuse an update that would replace what the same run has just deployed, or what must not be replaced.

    :param before: an existing deployment of this provider.
    :param wanted: the deployment to apply.
    :raises InvalidRequestError: names the argument and the fix.
    """
    theirs = Identity.of(before)
    same_run = bool(identity.run_id) and theirs.run_id == identity.run_id
    if before.annotations.get(ANNOTATION_REVISION) == wanted.annotations.get(ANNOTATION_REVISION):
        return
    refuse_other_mapped(before.name, theirs, identity)
    if not replace and not same_run:
        raise InvalidRequestError.of(
            "name",
            f"{before.name} is deployed already, by run {theirs.run_id or 'unknown'}, and replace=False "
            "adds a deployment instead of replacing one",
            "leave the name out, or make it differ from run to run, such as name='iris-{{ ds_nodash }}'; "
            "or leave replace=False out",
        )


def refuse_other_mapped(name: str, theirs: Identity, identity: Identity) -> None:
    """
    Refuse to replace what another mapped task of the same run has deployed, or tries as a canary.

    :param theirs: who deployed it, or leads the canary.
    :raises InvalidRequestError: names the argument and the fix.
    """
    mapped = identity.map_index >= 0 and theirs.map_index >= 0 and identity.map_index != theirs.map_index
    run = (identity.dag_id, identity.task_id, identity.run_id)
    if mapped and identity.run_id and (theirs.dag_id, theirs.task_id, theirs.run_id) == run:
        raise InvalidRequestError.of(
            "model_name",
            f"{name} was deployed by mapped task {theirs.map_index} of this run, and mapped task "
            f"{identity.map_index} would replace it",
            "expand over model_name (or name) too, so that each mapped task has its own deployment, "
            "or use replace=False, which creates one for each",
        )


def other_dag(before: SeldonDeployment, identity: Identity) -> str:
    """Return the id of the DAG that deployed ``before``, if it is another one; else ""."""
    theirs = Identity.of(before).dag_id
    return theirs if is_managed(before) and theirs != identity.dag_id else ""
