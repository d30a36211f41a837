"""
Children that are to go: those of predictors, explainers and engines that the spec does not have any more.

Nothing on the other Deployments need show that the operator has seen them dropped. It removes those that its own status
still lists, as soon as all others are ready, and lists none that is gone. One that it has never listed, it never
removes; so only what is listed counts. Source: real operator, completing a change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_seldon.core.children.expected import ID_LABEL, ExpectedChild, child_ids
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    controller,
    mapping_at,
    name_of,
    text_at,
)


def leftover(deployment: Object, wanted: Sequence[ExpectedChild], children: Sequence[Object] | None) -> str:
    """
    Return the name of a child that is to go; empty when there is none.

    :param deployment: the SeldonDeployment's manifest.
    :param wanted: the children that it is to have.
    :param children: Kubernetes Deployments; None when they may not be read: then what the status lists counts.
    """
    names = {name for one in wanted for name in one.names}
    listed = set(mapping_at(deployment, "status", "deploymentStatus")) - names
    if listed and children is not None:
        listed &= {
            name_of(child)
            for child in children
            if not text_at(child, "metadata", "deletionTimestamp") and _is_ours(child, deployment)
        }
    return min(listed, default="")


def _is_ours(child: Object, deployment: Object) -> bool:
    owner: Mapping[str, object] = controller(child)
    if owner:
        return owner.get("uid") == text_at(deployment, "metadata", "uid")
    return text_at(child, "metadata", "labels", ID_LABEL) in child_ids(deployment)
