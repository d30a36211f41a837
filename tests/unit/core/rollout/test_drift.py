from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import LABEL_MANAGED_BY, MANAGER, PREFIX
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.drift import drift


def manifest() -> dict[str, Any]:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {
            "name": "iris",
            "labels": {LABEL_MANAGED_BY: MANAGER, "team": "a"},
            "annotations": {"owner": "x", f"{PREFIX}run-id": "run-1"},
            "finalizers": ["example.com/a"],
        },
        "spec": {
            "replicas": 2,
            "annotations": {"seldon.io/rest-timeout": "1000"},
            "predictors": [
                {
                    "name": "default",
                    "replicas": 1,
                    "traffic": 100,
                    "graph": {
                        "name": "classifier",
                        "modelUri": "s3://models/iris/1",
                        "parameters": [],
                        "children": [],
                    },
                    "componentSpecs": [
                        {
                            "spec": {
                                "containers": [
                                    {"name": "classifier", "ports": [{"containerPort": 9000}], "env": []}
                                ]
                            }
                        }
                    ],
                }
            ],
        },
    }


def found_after(change: Callable[[dict[str, Any]], Any]) -> str:
    stored = copy.deepcopy(manifest())
    change(stored)
    request = SeldonDeployment.from_manifest(manifest())
    return drift(request, SeldonDeployment.from_manifest(stored))


def predictor(stored: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = stored["spec"]["predictors"][0]
    return found


def container(stored: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = predictor(stored)["componentSpecs"][0]["spec"]["containers"][0]
    return found


@pytest.mark.parametrize(
    ("change", "path"),
    [
        (lambda one: predictor(one)["graph"].update(modelUri="s3://x"), "spec.predictors[0].graph.modelUri"),
        (lambda one: predictor(one)["graph"].pop("modelUri"), "spec.predictors[0].graph.modelUri"),
        (lambda one: predictor(one).update(traffic=50), "spec.predictors[0].traffic"),
        (lambda one: predictor(one).update(replicas=0), "spec.predictors[0].replicas"),
        (
            lambda one: predictor(one)["graph"].update(parameters=[{"name": "a", "value": "b"}]),
            "spec.predictors[0].graph.parameters",
        ),
        (
            lambda one: container(one).update(env=[{"name": "A", "value": "b"}]),
            "spec.predictors[0].componentSpecs[0].spec.containers[0].env",
        ),
        (
            lambda one: container(one).update(image="x"),
            "spec.predictors[0].componentSpecs[0].spec.containers[0].image",
        ),
        (lambda one: predictor(one).update(shadow=True), "spec.predictors[0].shadow"),
        (lambda one: one["spec"]["predictors"].append({"name": "b"}), "spec.predictors"),
        (lambda one: one["spec"].pop("replicas"), "spec.replicas"),
        (lambda one: one["spec"].pop("annotations"), "spec.annotations.seldon.io/rest-timeout"),
        (lambda one: one["metadata"]["labels"].update(team="b"), "metadata.labels.team"),
        (lambda one: one["metadata"]["labels"].pop(LABEL_MANAGED_BY), f"metadata.labels.{LABEL_MANAGED_BY}"),
        (lambda one: one["metadata"]["annotations"].pop("owner"), "metadata.annotations.owner"),
        (lambda one: one["metadata"].pop("finalizers"), "metadata.finalizers"),
    ],
)
def test_what_differs_from_the_request_is_found(change: Callable[[Any], Any], path: str) -> None:
    assert found_after(change) == path


@pytest.mark.parametrize(
    "change",
    [
        lambda one: None,
        lambda one: one["spec"].update(replicas=5),
        lambda one: predictor(one)["graph"].pop("parameters"),
        lambda one: container(one)["ports"][0].update(protocol="TCP"),
        lambda one: predictor(one)["componentSpecs"][0].update(metadata={"creationTimestamp": None}),
        lambda one: predictor(one).update(svcOrchSpec={"resources": {}}),
        lambda one: one["spec"].update(oauth_key="somebody's"),
        lambda one: one["spec"]["annotations"].update(other="x"),
        lambda one: one["metadata"]["labels"].update(cost="somebody's"),
        lambda one: one["metadata"]["annotations"].update({f"{PREFIX}run-id": "run-2", "x": "y"}),
        lambda one: one["metadata"]["finalizers"].append("foregroundDeletion"),
        lambda one: one["metadata"].update(uid="1", generation=4, resourceVersion="7"),
        lambda one: one.update(status={"state": "Available"}),
    ],
    ids=[
        "nothing",
        "another number of pods by the scale subresource",
        "an empty list left out",
        "a port's protocol filled in",
        "an empty time of creation",
        "empty mappings",
        "a field of somebody else's",
        "a key of somebody else's",
        "a label of somebody else's",
        "this provider's notes, and somebody else's",
        "a finalizer more",
        "what the server keeps",
        "a status",
    ],
)
def test_what_the_server_or_others_keep_is_no_difference(change: Callable[[Any], Any]) -> None:
    assert found_after(change) == ""
