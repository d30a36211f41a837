"""The routes of a SeldonDeployment for Istio. Pure.

One VirtualService for all predictors, with the name of the deployment, and one for each explainer. Source:
measured on the real operator with Istio enabled; its DestinationRules are not created here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_seldon.local.client.kinds import VIRTUAL_SERVICES, Manifest
from airflow_provider_seldon.local.controllers.children import naming
from airflow_provider_seldon.local.controllers.manifests import dig, name_of, namespace_of

GATEWAY = "istio-system/seldon-gateway"

_ANNOTATION_GATEWAY = "seldon.io/istio-gateway"
_ANNOTATION_HOST = "seldon.io/istio-host"
_GRPC_PATHS = ".*tensorflow.*|.*seldon.protos.*|.*inference.*"
_MAX_NAME = 63


def predictors_virtual_service(deployment: Manifest, ports: Sequence[dict[str, int]]) -> Manifest:
    """
    The VirtualService that splits requests between predictors.

    :param ports: ``http`` and ``grpc`` of each predictor's Service, in their order
    """
    namespace, name = namespace_of(deployment), name_of(deployment)
    headers = {"seldon": {"exact": name}, "namespace": {"exact": namespace}}
    rules: list[Manifest] = [
        {"match": [{"uri": {"prefix": f"/seldon/{namespace}/{name}/"}}], "rewrite": {"uri": "/"}},
        {"match": [{"uri": {"regex": _GRPC_PATHS}, "headers": headers}]},
    ]
    predictors: list[Manifest] = dig(deployment, "spec", "predictors", default=[])
    for rule, kind in zip(rules, ("http", "grpc"), strict=True):
        rule["route"] = []
        for predictor, numbers in zip(predictors, ports, strict=True):
            service = naming.predictor_service(deployment, predictor)
            destination = {
                "host": f"{service}.{namespace}.svc.cluster.local",
                "subset": predictor["name"],
                "port": {"number": numbers[kind]},
            }
            traffic = int(predictor.get("traffic") or 0)
            if predictor.get("shadow"):
                rule["mirror"] = destination
                rule |= {"mirrorPercentage": {"value": traffic}} if traffic else {}
            else:
                rule["route"].append({"destination": destination} | ({"weight": traffic} if traffic else {}))
    return _virtual_service(deployment, naming.deployment_id(deployment), rules)


def explainer_virtual_service(deployment: Manifest, predictor: Manifest, port: int) -> Manifest:
    """The VirtualService of a predictor's explainer."""
    service = naming.explainer(deployment, predictor)
    path = f"/seldon/{namespace_of(deployment)}/{name_of(deployment)}-explainer/{predictor['name']}/"
    destination = {"host": service, "subset": predictor["name"], "port": {"number": port}}
    rule = {
        "match": [{"uri": {"prefix": path}}],
        "rewrite": {"uri": "/"},
        "route": [{"destination": destination, "weight": 100}],
    }
    name = f"{service}-http"
    name = name if len(name) <= _MAX_NAME else name[:_MAX_NAME].removesuffix("-")
    return _virtual_service(deployment, name, [rule])


def _virtual_service(deployment: Manifest, name: str, rules: list[Any]) -> Manifest:
    annotations = dig(deployment, "spec", "annotations", default={})
    return {
        "apiVersion": VIRTUAL_SERVICES.api_version,
        "kind": VIRTUAL_SERVICES.kind,
        "metadata": {"name": name, "namespace": namespace_of(deployment)},
        "spec": {
            "hosts": str(annotations.get(_ANNOTATION_HOST, "*")).split(","),
            "gateways": [annotations.get(_ANNOTATION_GATEWAY, GATEWAY)],
            "http": rules,
        },
    }
