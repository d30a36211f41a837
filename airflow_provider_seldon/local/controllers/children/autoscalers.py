"""Autoscalers and disruption budgets of a component (Seldon Core reference, section 1.3). Pure."""

from __future__ import annotations

from airflow_provider_seldon.local.client.kinds import (
    HORIZONTAL_POD_AUTOSCALERS,
    POD_DISRUPTION_BUDGETS,
    SCALED_OBJECTS,
    Kind,
    Manifest,
)
from airflow_provider_seldon.local.controllers.children.frame import LABEL_ID
from airflow_provider_seldon.local.controllers.manifests import clone


def horizontal_pod_autoscaler(
    component: Manifest, name: str, namespace: str, seldon_id: str
) -> Manifest | None:
    """The HPA, unless the spec has KEDA as well, which takes precedence."""
    given = component.get("hpaSpec")
    if not given or component.get("kedaSpec"):
        return None
    spec = {"scaleTargetRef": _target(name), "maxReplicas": given["maxReplicas"]}
    if given.get("minReplicas") is not None:
        spec["minReplicas"] = given["minReplicas"]
    if given.get("metricsv2"):
        spec["metrics"] = clone(given["metricsv2"])
    return _object(HORIZONTAL_POD_AUTOSCALERS, name, namespace, seldon_id, spec)


def scaled_object(component: Manifest, name: str, namespace: str, seldon_id: str) -> Manifest | None:
    """KEDA's object."""
    if not component.get("kedaSpec"):
        return None
    spec = clone(component["kedaSpec"]) | {"scaleTargetRef": _target(name)}
    return _object(SCALED_OBJECTS, name, namespace, seldon_id, spec)


def pod_disruption_budget(component: Manifest, name: str, namespace: str, seldon_id: str) -> Manifest | None:
    """The budget; it selects by the id label alone, so it spans all predictors (section 7.1)."""
    if not component.get("pdbSpec"):
        return None
    spec = clone(component["pdbSpec"]) | {"selector": {"matchLabels": {LABEL_ID: seldon_id}}}
    return _object(POD_DISRUPTION_BUDGETS, name, namespace, seldon_id, spec)


def _target(name: str) -> Manifest:
    return {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}


def _object(kind: Kind, name: str, namespace: str, seldon_id: str, spec: Manifest) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "labels": {LABEL_ID: seldon_id}}
    return {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}
