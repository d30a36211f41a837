"""
``ModelServer(manifest=...)``: a graph or a whole SeldonDeployment that the user wrote, handled like the rest.

It accepts a whole SeldonDeployment, its ``spec``, one predictor, or one graph node (with its children), as a
dict or YAML text. Reading drops what the server owns (status, uid, managed fields, ...), this provider's own
labels and annotations, and the unused ``oauth_key`` and ``oauth_secret``.

Arguments that can be combined with it: ``name``, ``labels``, ``annotations`` and ``protocol`` are added
unless the manifest contradicts them; ``replicas`` goes to the only predictor; ``secret_name`` and
``service_account`` go to the nodes that have a model URI and do not name their own. Everything else belongs
in the manifest, and giving it twice is an error.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_seldon.core.credentials.model_uri import served_uri
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_CONFIG,
    LABEL_MANAGED_BY,
    MANAGER,
    is_reserved,
)
from airflow_provider_seldon.core.identity.revision import unstamped
from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.request.model_server_fields import ModelServerFields
from airflow_provider_seldon.core.request.spec import nodes
from airflow_provider_seldon.core.resource.manifest import parse_yaml
from airflow_provider_seldon.core.resource.seldon_deployment import KIND, SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import text_at
from airflow_provider_seldon.core.scaling.replicas import as_asked, asked_numbers

_NOT_BESIDE_A_MANIFEST = (
    "model_uri",
    "implementation",
    "parameters",
    "model_metadata",
    "extra_args",
    "resources",
    "env",
    "image",
    "command",
    "args",
    "image_pull_secrets",
    "predictor_name",
    "node_name",
)
_KEPT_METADATA = frozenset({"name", "namespace", "labels", "annotations", "ownerReferences", "finalizers"})
_UNUSED_CREDENTIALS = frozenset({"oauth_key", "oauth_secret"})
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_NODE_KEYS = frozenset(
    {"implementation", "modelUri", "children", "type", "methods", "endpoint", "parameters"}
)


def read(given: Any) -> dict[str, Any]:
    """
    Return a user's manifest as a SeldonDeployment with ``metadata`` and ``spec``, reduced to what a user may
    set.

    :param given: JSON data or YAML text.
    :raises InvalidRequestError: it is none of the four forms.
    """
    data = parse_yaml(given) if isinstance(given, str) else given
    if not isinstance(data, Mapping):
        raise InvalidRequestError.of(
            "manifest", f"is a {type(data).__name__}", f"give a {KIND}, its spec, a predictor or a graph node"
        )
    whole = _without_nulls(SeldonDeployment.from_manifest(_wrap(data)).to_manifest())
    metadata, spec = whole.get("metadata") or {}, whole.get("spec")
    if not isinstance(metadata, dict) or not isinstance(spec, dict):
        raise InvalidRequestError.of("manifest", "metadata or spec is not a mapping", "give both as mappings")
    if text_at(whole, "metadata", "annotations", ANNOTATION_CONFIG):
        # Read back from a cluster: remove what this provider added to the user's spec.
        spec = as_asked(spec, asked_numbers(whole))
    return {"metadata": _own_metadata(metadata), "spec": _served(_own_spec(spec))}


def problems(server: ModelServerFields) -> list[Problem]:
    """Return the contradictions between a request's manifest and its other arguments."""
    manifest = server.manifest or {}
    return [
        *_doubled(server),
        *_contradictions(server, manifest),
        *_replica_problems(server, manifest),
        *_unused(server, manifest),
    ]


def complete(server: ModelServerFields, secret_name: str | None) -> dict[str, Any]:
    """
    Return the manifest with the request's other arguments added.

    :param secret_name: Secret with storage credentials for nodes that name none, unless the request does.
    """
    manifest: dict[str, Any] = copy.deepcopy(server.manifest or {})
    spec = manifest["spec"]
    if server.protocol is not None:
        spec["protocol"] = server.protocol
    for predictor in _predictors(manifest):
        if server.replicas is not None:
            predictor["replicas"] = server.replicas
        for holder in _storage_users(predictor):
            _default(holder, "envSecretRefName", server.secret_name or secret_name)
            _default(holder, "serviceAccountName", server.service_account)
    return manifest


def _wrap(data: Mapping[str, Any]) -> Mapping[str, Any]:
    if {"kind", "apiVersion", "spec", "metadata"} & data.keys():
        return data
    if "predictors" in data:
        return {"spec": data}
    if "graph" in data:
        return {"spec": {"predictors": [{"name": "default", **data}]}}
    if _NODE_KEYS & data.keys():
        return {"spec": {"predictors": [{"name": "default", "graph": data}]}}
    raise InvalidRequestError.of(
        "manifest",
        f"has none of the keys spec, predictors, graph, {', '.join(sorted(_NODE_KEYS))}",
        f"give a {KIND}, its spec, a predictor or a graph node",
    )


def _without_nulls(value: Any) -> Any:
    """Return ``value`` without null keys: the CRD refuses them, and they mean "absent"."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def _own_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    if "generateName" in metadata and not metadata.get("name"):
        raise InvalidRequestError.of(
            "manifest.metadata.generateName",
            "creates another deployment on every try",
            "give name, or neither",
        )
    kept = {key: value for key, value in metadata.items() if key in _KEPT_METADATA}
    for key in ("name", "namespace"):
        if not isinstance(kept.get(key, ""), str):
            raise InvalidRequestError.of(
                f"manifest.metadata.{key}", "is not text", "quote it", value=str(kept[key])[:80]
            )
    for kind in ("labels", "annotations"):
        values = kept.pop(kind, {})
        if not isinstance(values, dict):
            raise InvalidRequestError.of(f"manifest.metadata.{kind}", "is not a mapping", "give text to text")
        manager = values.get(LABEL_MANAGED_BY, MANAGER) if kind == "labels" else MANAGER
        if manager != MANAGER:
            raise InvalidRequestError.of(
                f"manifest.metadata.labels.{LABEL_MANAGED_BY}",
                "says that another manager manages the deployment",
                "remove the label",
                value=str(manager),
            )
        values = {
            key: value for key, value in values.items() if not is_reserved(key) and key != _LAST_APPLIED
        }
        if values:
            kept[kind] = values
    return kept


def _own_spec(spec: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in spec.items() if key not in _UNUSED_CREDENTIALS}
    if isinstance(kept.get("predictors"), list):
        kept["predictors"] = [
            unstamped(predictor) if isinstance(predictor, dict) else predictor
            for predictor in kept["predictors"]
        ]
    return kept


def _served(value: Any) -> Any:
    """Return ``value`` with every model URI in the form that the storage initializer reads."""
    if isinstance(value, dict):
        return {
            key: served_uri(item) if key == "modelUri" and isinstance(item, str) else _served(item)
            for key, item in value.items()
        }
    return [_served(item) for item in value] if isinstance(value, list) else value


def _predictors(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = manifest["spec"].get("predictors")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _storage_users(predictor: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    explainer = predictor.get("explainer")
    candidates = [*nodes(predictor.get("graph")), *([explainer] if isinstance(explainer, dict) else [])]
    yield from (candidate for candidate in candidates if candidate.get("modelUri"))


def _default(holder: dict[str, Any], key: str, value: str | None) -> None:
    if value and not holder.get(key):
        holder[key] = value


def _doubled(server: ModelServerFields) -> Iterator[Problem]:
    for field in _NOT_BESIDE_A_MANIFEST:
        if getattr(server, field) != type(server).model_fields[field].default:
            yield Problem(
                field, "cannot be combined with manifest", "write it in the manifest (it may be a template)"
            )


def _contradictions(server: ModelServerFields, manifest: Mapping[str, Any]) -> Iterator[Problem]:
    metadata, spec = manifest["metadata"], manifest["spec"]
    pairs = [
        ("name", server.name, metadata.get("name")),
        ("protocol", server.protocol, spec.get("protocol")),
    ]
    for field in ("labels", "annotations"):
        present = metadata.get(field, {})
        pairs += [
            (f"{field}.{key}", value, present.get(key)) for key, value in getattr(server, field).items()
        ]
    for field, asked, present in pairs:
        if asked is not None and present not in (None, "", asked):
            yield Problem(field, f"is {asked!r}, but the manifest says {present!r}", "set it in one place")


def _replica_problems(server: ModelServerFields, manifest: Mapping[str, Any]) -> Iterator[Problem]:
    if server.replicas is None:
        return
    predictors = _predictors(manifest)
    if len(predictors) != 1:
        yield Problem(
            "replicas", f"is ambiguous for {len(predictors)} predictors", "set replicas in the manifest"
        )
        return
    components = predictors[0].get("componentSpecs")
    components = [one for one in components if isinstance(one, dict)] if isinstance(components, list) else []
    if any(component.get("hpaSpec") or component.get("kedaSpec") for component in components):
        yield Problem(
            "replicas", "has no effect together with the manifest's autoscaler", "remove one of the two"
        )
    present = [one.get("replicas") for one in (manifest["spec"], predictors[0], *components)]
    if any(number not in (None, server.replicas) for number in present):
        yield Problem(
            "replicas", f"is {server.replicas}, but the manifest says otherwise", "set it in one place"
        )


def _unused(server: ModelServerFields, manifest: Mapping[str, Any]) -> Iterator[Problem]:
    if any(holder for predictor in _predictors(manifest) for holder in _storage_users(predictor)):
        return
    for field in ("secret_name", "service_account"):
        if getattr(server, field):
            yield Problem(
                field, "no node of the manifest has a modelUri", f"write {field} where it is needed"
            )
