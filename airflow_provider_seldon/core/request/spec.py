"""
Build the ``spec`` of a SeldonDeployment from the single arguments of a ``ModelServer``: one predictor, one
node.

It contains only what was requested: no nulls, no empty lists, no image that the operator fills in. A number
of pods that was not requested is added later, where it can still be changed from outside (``replicas``).

Source: Seldon Core reference, prepackaged servers and storage.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_IMPLEMENTATION, ANNOTATION_MODEL_URI
from airflow_provider_seldon.core.invalid_request import Problem
from airflow_provider_seldon.core.request.model_server_fields import ModelServerFields
from airflow_provider_seldon.core.resource.canonical_json import canonical_json
from airflow_provider_seldon.core.resource.graph import MODEL_URI_OPTIONAL
from airflow_provider_seldon.core.resource.parameters import environment, node_parameters
from airflow_provider_seldon.core.values.suggestion import unknown

METADATA_VARIABLE = "MODEL_METADATA"

_PREDICTOR_FIELDS = frozenset(
    {
        "annotations",
        "explainer",
        "labels",
        "progressDeadlineSeconds",
        "shadow",
        "ssl",
        "svcOrchSpec",
        "traffic",
    }
)
_COMPONENT_FIELDS = frozenset({"hpaSpec", "kedaSpec", "pdbSpec"})
#: Fields of the model's container (Kubernetes, Container v1 core) without their own argument.
_CONTAINER_FIELDS = frozenset(
    {
        "envFrom",
        "imagePullPolicy",
        "lifecycle",
        "livenessProbe",
        "ports",
        "readinessProbe",
        "securityContext",
        "startupProbe",
        "volumeMounts",
        "workingDir",
    }
)
#: Names in the CRD that have their own argument here.
_ELSEWHERE = {
    "name": "use the argument predictor_name",
    "graph": "use the single arguments, or manifest",
    "componentSpecs": "use image, env, resources and so on, or manifest",
    "replicas": "use the argument replicas",
    "engineResources": "use svcOrchSpec.resources: no release of Seldon Core v1 reads engineResources",
}


def spec(server: ModelServerFields, secret_name: str | None) -> dict[str, Any]:
    """
    Return the ``spec`` of a request.

    :param secret_name: Secret with storage credentials for a request that names none.
    """
    return _given(protocol=server.protocol, predictors=[_predictor(server, secret_name)])


def problems(server: ModelServerFields) -> list[Problem]:
    """Return what is missing or contradictory in a request without a manifest."""
    return [*_server_problems(server), *_extra_problems(server)]


def model_annotations(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return model URI and implementation of the first node that has them."""
    keys = {"modelUri": ANNOTATION_MODEL_URI, "implementation": ANNOTATION_IMPLEMENTATION}
    found: dict[str, str] = {}
    predictors = spec.get("predictors")
    for predictor in predictors if isinstance(predictors, list) else ():
        for node in nodes(predictor.get("graph") if isinstance(predictor, Mapping) else None):
            for key, annotation in keys.items():
                if isinstance(node.get(key), str) and node[key]:
                    found.setdefault(annotation, node[key])
    return found


def nodes(graph: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a graph in a manifest, parents before children; unreadable ones are skipped."""
    if isinstance(graph, dict):
        yield graph
        children = graph.get("children")
        for child in children if isinstance(children, list) else ():
            yield from nodes(child)


def _predictor(server: ModelServerFields, secret_name: str | None) -> dict[str, Any]:
    extra = {key: value for key, value in server.extra_args.items() if key in _PREDICTOR_FIELDS}
    component = _component(server)
    return _given(
        name=server.predictor_name,
        graph=_node(server, secret_name),
        componentSpecs=[component] if component else None,
        replicas=server.replicas,
        **extra,
    )


def _node(server: ModelServerFields, secret_name: str | None) -> dict[str, Any]:
    return _given(
        name=server.node_name,
        type="MODEL",
        implementation=server.implementation,
        modelUri=server.model_uri,
        envSecretRefName=(server.secret_name or secret_name) if server.model_uri else None,
        serviceAccountName=server.service_account,
        parameters=node_parameters(server.parameters),
    )


def _component(server: ModelServerFields) -> dict[str, Any]:
    container = _given(
        image=server.image,
        command=server.command,
        args=server.args,
        env=_container_env(server),
        resources=server.resources,
        **server.extra_args.get("container", {}),
    )
    extra = {key: value for key, value in server.extra_args.items() if key in _COMPONENT_FIELDS}
    pull_secrets = [{"name": name} for name in server.image_pull_secrets]
    if not (container or extra or pull_secrets):
        return {}
    # The operator copies the account to the pod from a prepackaged server's node, but not from a custom one.
    account = None if server.implementation else server.service_account
    pod = _given(
        containers=[{"name": server.node_name, **container}],
        imagePullSecrets=pull_secrets,
        serviceAccountName=account,
    )
    return {"spec": pod, **extra}


def _container_env(server: ModelServerFields) -> list[dict[str, object]]:
    metadata: list[dict[str, object]] = []
    if server.model_metadata:
        metadata = [{"name": METADATA_VARIABLE, "value": canonical_json(server.model_metadata)}]
    return environment(server.env) + metadata


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value not in ([], {})}


def _server_problems(server: ModelServerFields) -> Iterator[Problem]:
    if not server.implementation and not server.image:
        yield Problem(
            "implementation",
            "no model server is given",
            "give implementation (e.g. SKLEARN_SERVER), image, or manifest",
        )
    if server.implementation and not server.model_uri and server.implementation not in MODEL_URI_OPTIONAL:
        yield Problem(
            "model_uri",
            "Predictive unit modelUri required when using standalone servers",
            "give model_uri, the URI of the model's files",
        )
    if server.secret_name and not server.model_uri:
        yield Problem(
            "secret_name",
            "has no effect without model_uri: only the storage initializer reads it",
            "give model_uri, or refer to the Secret in env with valueFrom",
        )
    if server.model_metadata and any(v.get("name") == METADATA_VARIABLE for v in environment(server.env)):
        yield Problem(
            f"env.{METADATA_VARIABLE}",
            "is the variable that model_metadata sets",
            "give model_metadata or this, not both",
        )


def _extra_problems(server: ModelServerFields) -> Iterator[Problem]:
    for key in server.extra_args:
        field = f"extra_args.{key}"
        if key in _ELSEWHERE:
            yield Problem(field, "is not an extra argument", _ELSEWHERE[key])
        elif key == "container":
            yield from _container_problems(server.extra_args[key])
        elif key not in _PREDICTOR_FIELDS | _COMPONENT_FIELDS:
            known = _PREDICTOR_FIELDS | _COMPONENT_FIELDS | {"container"}
            yield unknown(field, key, known, noun="predictor field")
    scalers = sorted({"hpaSpec", "kedaSpec"} & server.extra_args.keys())
    if scalers and server.replicas is not None:
        yield Problem("replicas", f"has no effect together with {scalers[0]}", "give only one of the two")


def _container_problems(container: Any) -> Iterator[Problem]:
    field = "extra_args.container"
    if not isinstance(container, Mapping):
        yield Problem(field, "is not a dict", "give fields of a Kubernetes container, such as readinessProbe")
        return
    for key in container:
        if key in {"name", "image", "command", "args", "env", "resources"}:
            fix = f"use the argument {'node_name' if key == 'name' else key}"
            yield Problem(f"{field}.{key}", "is not an extra field of the container", fix)
        elif key not in _CONTAINER_FIELDS:
            yield unknown(f"{field}.{key}", key, _CONTAINER_FIELDS, noun="container field")
