"""Access reviews and self subject reviews, by the same rules as for requests."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.local.apiserver.access.authorization import Attributes, Authorizer, User
from airflow_provider_seldon.local.apiserver.objects import metadata
from airflow_provider_seldon.local.apiserver.objects.store import Manifest
from airflow_provider_seldon.local.apiserver.protocol import bodies
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.protocol.resources import RESOURCES


def review(authorizer: Authorizer, info: RequestInfo, user: User, raw: bytes) -> Manifest:
    """Return the review in the body, with its status."""
    body = bodies.decode_object(info, raw)
    body["metadata"].setdefault("creationTimestamp", None)
    spec: dict[str, Any] = body.get("spec") or {}
    if info.resource.plural == "selfsubjectreviews":
        body["metadata"]["creationTimestamp"] = metadata.now()
        body["status"] = {"userInfo": {"username": user.name, "groups": list(user.groups)}}
    elif info.resource.plural == "selfsubjectrulesreviews":
        body["status"] = _rules(authorizer, user, str(spec.get("namespace", "")))
    else:
        body["status"] = _access(authorizer, user, spec)
    return body


def _access(authorizer: Authorizer, user: User, spec: dict[str, Any]) -> Manifest:
    wanted = spec.get("resourceAttributes")
    if wanted is None:
        return {"allowed": True}
    resource = str(wanted.get("resource", ""))
    if wanted.get("subresource"):
        resource = f"{resource}/{wanted['subresource']}"
    attributes = Attributes(
        verb=str(wanted.get("verb", "")),
        resource=resource,
        group=str(wanted.get("group", "")),
        namespace=str(wanted.get("namespace", "")),
        name=str(wanted.get("name", "")),
    )
    if authorizer.is_allowed(attributes, user):
        return {"allowed": True}
    return {"allowed": False}


def _rules(authorizer: Authorizer, user: User, namespace: str) -> Manifest:
    rules = []
    for resource in RESOURCES:
        for plural in (
            resource.plural,
            *(f"{resource.plural}/{name}" for name in sorted(resource.subresources)),
        ):
            verbs = [
                verb
                for verb in resource.verbs
                if authorizer.is_allowed(
                    Attributes(verb=verb, resource=plural, group=resource.group, namespace=namespace), user
                )
            ]
            if verbs:
                rules.append({"verbs": verbs, "apiGroups": [resource.group], "resources": [plural]})
    return {
        "resourceRules": rules,
        "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["*"]}],
        "incomplete": False,
    }
