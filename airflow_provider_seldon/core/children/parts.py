"""Available and desired pods of the Deployments of a SeldonDeployment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_seldon.core.children.expected import expected_children
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    condition,
    count_at,
    mapping_at,
    name_of,
    number_at,
    text_at,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Available and desired pods of a Deployment, and whether it had all of them before."""

    predictor: str
    wanted: int
    available: int
    rolled_out: bool


def parts_of(deployment: Object, children: Sequence[Object] | None) -> Iterator[Part]:
    """
    Yield each Deployment that a SeldonDeployment should have.

    :param children: the existing ones; None if they cannot be read, so that the status is used.
    """
    by_name = {name_of(child): child for child in children or ()}
    told = mapping_at(deployment, "status", "deploymentStatus")
    for expected in expected_children(deployment):
        predictor = text_at(expected.predictor, "name")
        if children is None:
            entry = next((mapping_at(told, name) for name in expected.names if name in told), {})
            wanted = expected.replicas if expected.replicas is not None else count_at(entry, "replicas")
            available = count_at(entry, "availableReplicas")
            yield Part(predictor=predictor, wanted=wanted, available=available, rolled_out=False)
            continue
        child = next((by_name[name] for name in expected.names if name in by_name), {})
        found = number_at(child, "spec", "replicas")
        default = 0 if expected.may_sleep else 1
        wanted = expected.replicas if expected.replicas is not None else default if found is None else found
        progress = condition(child, "Progressing")
        yield Part(
            predictor=predictor,
            wanted=wanted,
            available=count_at(child, "status", "availableReplicas"),
            rolled_out=progress.get("reason") == "NewReplicaSetAvailable",
        )
