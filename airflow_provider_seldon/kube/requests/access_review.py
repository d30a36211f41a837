"""Check a permission of the connection's own account: a SelfSubjectAccessReview. It changes nothing."""

from __future__ import annotations

from airflow_provider_seldon.core.resource.unstructured import value_at
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.transport import Transport


def allowed(transport: Transport, namespace: str, verb: str, group: str, resource: str) -> bool:
    """
    Ask the API server whether the account of a transport has a permission in a namespace.

    :param transport: sends the request.
    :param namespace: the namespace.
    :param verb: such as ``patch``.
    :param group: the API group; empty for the core group.
    :param resource: plural of the resource, with ``/`` and a subresource if needed.
    """
    resource, _, subresource = resource.partition("/")
    attributes = {
        "namespace": namespace,
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
    }
    review = transport.request(
        "POST",
        paths.ACCESS_REVIEWS,
        body={
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    return value_at(review, "status", "allowed") is True
