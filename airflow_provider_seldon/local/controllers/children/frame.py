"""The frame of a child Deployment: labels, annotations, rolling strategy, pod defaults. Pure.

Source: Seldon Core reference, sections 2.4 (strategy), 3.2 (defaults) and 7.1 (labels).
"""

from __future__ import annotations

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children import naming
from airflow_provider_seldon.local.controllers.children.defaults import PODINFO_VOLUME
from airflow_provider_seldon.local.controllers.manifests import clone, dig, namespace_of

LABEL_ID = "seldon-deployment-id"
MANAGED_BY = {"app.kubernetes.io/managed-by": "seldon-core"}
PROMETHEUS = {"prometheus.io/path": "/prometheus", "prometheus.io/scrape": "true"}
DEFAULT_PROGRESS_DEADLINE = 600


_UNIT_LABELS = {
    "MODEL": "seldon.io/model",
    "ROUTER": "seldon.io/router",
    "COMBINER": "seldon.io/combiner",
    "TRANSFORMER": "seldon.io/transformer",
    "OUTPUT_TRANSFORMER": "seldon.io/output-transformer",
}


def child_deployment(
    deployment: Manifest, predictor: Manifest, name: str, component: Manifest, *, metrics: bool = True
) -> Manifest:
    """
    The Deployment of one component, before units, engine and initializers are added to its pods.

    Its containers are the component's own objects, so that later additions appear there, too.

    :param metrics: annotate the pods for Prometheus
    """
    child = skeleton(deployment, name)
    spec_annotations = dig(deployment, "spec", "annotations", default={})
    annotations = {
        **spec_annotations,
        **(predictor.get("annotations") or {}),
        **dig(component, "metadata", "annotations", default={}),
    }
    labels = {
        LABEL_ID: naming.deployment_id(deployment),
        "app": name,
        "fluentd": "true",
        **predictor["labels"],
        **dig(component, "metadata", "labels", default={}),
    }
    child["metadata"] |= {"labels": labels, "annotations": annotations}
    template = child["spec"]["template"]
    template["metadata"] = {
        "labels": dict(labels) | ({"seldon.io/shadow": "true"} if predictor.get("shadow") else {}),
        "annotations": (dict(PROMETHEUS) if metrics else {}) | annotations,
    }
    spec = component.get("spec") or {}
    template["spec"] = clone({key: value for key, value in spec.items() if key != "containers"})
    template["spec"]["containers"] = list(spec.get("containers") or [])
    complete_pod(template["spec"])
    child["spec"]["selector"]["matchLabels"] = {LABEL_ID: naming.deployment_id(deployment)}
    deadline = predictor.get("progressDeadlineSeconds")
    child["spec"]["progressDeadlineSeconds"] = deadline or DEFAULT_PROGRESS_DEADLINE
    return child


def skeleton(deployment: Manifest, name: str) -> Manifest:
    """An empty Deployment with the operator's rolling strategy.

    ``maxUnavailable`` is 0 in the request, although the operator's source has 10 %: a type tag is wrong
    there.
    """
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace_of(deployment)},
        "spec": {
            "selector": {"matchLabels": {}},
            "template": {"metadata": {}, "spec": {}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"},
            },
            "progressDeadlineSeconds": DEFAULT_PROGRESS_DEADLINE,
            "revisionHistoryLimit": 10,
        },
    }


def complete_pod(pod: Manifest) -> None:
    """Set the fields that the operator sets in every pod."""
    pod.setdefault("restartPolicy", "Always")
    pod.setdefault("dnsPolicy", "ClusterFirst")
    pod.setdefault("schedulerName", "default-scheduler")
    pod.setdefault("securityContext", {"runAsUser": 8888})
    pod.setdefault("terminationGracePeriodSeconds", 20)
    volumes = pod["volumes"] = list(pod.get("volumes") or [])
    if not any(volume.get("name") == PODINFO_VOLUME for volume in volumes):
        item = {"path": "annotations", "fieldRef": {"fieldPath": "metadata.annotations", "apiVersion": "v1"}}
        volumes.append({"name": PODINFO_VOLUME, "downwardAPI": {"items": [item], "defaultMode": 420}})


def unit_labels(unit: Manifest | None, predictor: Manifest) -> dict[str, str]:
    """
    The labels with which Seldon Core marks the purpose of a Deployment or Service.

    :param unit: the graph unit; None for another container, which counts as the explainer if there is one
    """
    labels = dict(MANAGED_BY)
    kind = (unit or {}).get("type")
    if kind in _UNIT_LABELS:
        labels[_UNIT_LABELS[kind]] = "true"
    elif not kind and (predictor.get("explainer") or {}).get("type"):
        labels["seldon.io/explainer"] = "true"
    if predictor.get("shadow"):
        labels["seldon.io/shadow"] = "true"
    return labels


def add_labels(child: Manifest, labels: dict[str, str]) -> None:
    """Label the Deployment and its pods."""
    child["metadata"]["labels"] |= labels
    child["spec"]["template"]["metadata"]["labels"] |= labels


def add_selector_labels(child: Manifest, labels: dict[str, str]) -> None:
    """Label the Deployment and its pods, and add the labels to the selector."""
    add_labels(child, labels)
    child["spec"]["selector"]["matchLabels"] |= labels
