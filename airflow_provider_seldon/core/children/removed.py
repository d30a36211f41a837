"""
Removed children: those of predictors, explainers and engines that the spec no longer has.

The other Deployments need not show that the operator has seen the removal. The operator deletes those that
its own status still lists, as soon as all others are ready, and lists none that is gone. It never deletes one
that it has never listed, because that was removed within moments. A Deployment that is being deleted no
longer counts pods once they are terminating, and so gets no requests. Source: real operator, completing a
change; measured on 1.18.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_seldon.core.children.expected import (
    ANNOTATION_SERVICE_NAME,
    ID_LABEL,
    ExpectedChild,
    child_ids,
    given_containers,
    graph_units,
)
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    controller,
    count_at,
    items_at,
    mapping_at,
    name_of,
    text_at,
)

_NO_SERVICE = re.compile(r'services? "(?P<name>[^"]+)" not found', re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Leftover:
    """
    A removed child.

    :param name: its name.
    :param listed: the operator's status lists it, so the operator will delete it.
    :param going: it is being deleted.
    :param available: its available pods.
    """

    name: str
    listed: bool
    going: bool
    available: int


def leftovers(
    deployment: Object, wanted: Sequence[ExpectedChild], children: Sequence[Object] | None
) -> list[Leftover]:
    """
    Return the removed children that still exist, by name.

    :param deployment: the SeldonDeployment's manifest.
    :param wanted: its expected children.
    :param children: Kubernetes Deployments; None without permission to read them: then the status' list
        counts.
    """
    names = {name for one in wanted for name in one.names}
    listed = {
        name: count_at(entry, "availableReplicas")
        for name, entry in mapping_at(deployment, "status", "deploymentStatus").items()
        if name not in names
    }
    if children is None:
        return [
            Leftover(name=name, listed=True, going=False, available=available)
            for name, available in sorted(listed.items())
        ]
    return sorted(_found(deployment, names, listed, children), key=lambda one: one.name)


def services_left(deployment: Object) -> list[str]:
    """
    Return the Services in the operator's status of predictors and explainers that the spec no longer has.

    Once their Deployments are gone, the operator deletes them and then writes its status. If that write
    conflicts with another one in between, the status lists a deleted Service for ever, and each later
    reconciliation ends with ``Failed``. So no client should write before (Seldon's operator 1.18.2,
    completing a change). Long names are hashed, so they are not recognised.
    """
    name = name_of(deployment)
    present = {
        one
        for predictor in items_at(deployment, "spec", "predictors")
        for one in (
            f"{name}-{text_at(predictor, 'name')}",
            text_at(predictor, "annotations", ANNOTATION_SERVICE_NAME),
        )
        if one
    }
    ended = {
        f"{name}-{text_at(predictor, 'name')}-explainer"
        for predictor in items_at(deployment, "spec", "predictors")
        if not text_at(predictor, "explainer", "type") and "explainer" not in _containers(predictor)
    }
    return sorted(
        service
        for service in mapping_at(deployment, "status", "serviceStatus")
        if service in ended
        or (
            service.startswith(f"{name}-")
            and not any(service == one or service.startswith(f"{one}-") for one in present)
        )
    )


def missing_service(deployment: Object) -> str:
    """
    Return the removed Service that the operator looks for in vain, see :func:`services_left`; empty if none.

    It looks for it after all else is done: then only the state and its description say that something failed,
    until somebody creates such a Service, which the operator removes. Source: Seldon's operator 1.17.1 and 1.18.2.
    """
    if text_at(deployment, "status", "state") != "Failed":
        return ""
    found = _NO_SERVICE.fullmatch(text_at(deployment, "status", "description"))
    name = found["name"] if found else ""
    return name if name in mapping_at(deployment, "status", "serviceStatus") else ""


def _containers(predictor: Object) -> set[str]:
    """Return the names after which the operator names a Service: of nodes of the graph, and containers."""
    named = (*graph_units(mapping_at(predictor, "graph")), *given_containers(predictor))
    return {text_at(one, "name") for one in named}


def _found(
    deployment: Object, wanted: set[str], listed: Mapping[str, int], children: Sequence[Object]
) -> Iterator[Leftover]:
    for child in children:
        name = name_of(child)
        if name not in wanted and _is_ours(child, deployment, listed=name in listed):
            yield Leftover(
                name=name,
                listed=name in listed,
                going=bool(text_at(child, "metadata", "deletionTimestamp")),
                available=count_at(child, "status", "availableReplicas"),
            )


def _is_ours(child: Object, deployment: Object, *, listed: bool) -> bool:
    owner: Mapping[str, object] = controller(child)
    if owner:
        return owner.get("uid") == text_at(deployment, "metadata", "uid")
    return listed and text_at(child, "metadata", "labels", ID_LABEL) in child_ids(deployment)
