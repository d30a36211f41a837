"""Empty maps that say nothing are not sent; those that say something are."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.resource.pruning import without_empty_maps
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.plan import plan
from tests.unit.core.strategies import json_values

WHO = Identity(dag_id="train", task_id="deploy", model_name="iris", run_id="run-1")


def request(**spec: Any) -> dict[str, Any]:
    pod = {
        "containers": [{"name": "classifier", "image": "example/iris:1", "resources": {"limits": {}}}],
        "nodeSelector": {},
        "volumes": [{"name": "scratch", "emptyDir": {}}],
    }
    predictor = {
        "name": "main",
        "graph": {"name": "classifier"},
        "labels": {},
        "componentSpecs": [{"metadata": {"labels": {}}, "spec": pod}],
        "svcOrchSpec": {},
    }
    server = ModelServer.create(
        model_name="iris", name="iris", manifest={"spec": {"predictors": [predictor], **spec}}
    )
    return server.to_deployment(identity=WHO).to_manifest()


def test_empty_maps_are_not_sent_wherever_they_are() -> None:
    spec = request(annotations={})["spec"]
    assert set(spec) == {"predictors", "replicas"}
    (predictor,) = spec["predictors"]
    assert set(predictor) == {"name", "graph", "componentSpecs", "annotations"}
    (component,) = predictor["componentSpecs"]
    assert component == {
        "spec": {
            "containers": [{"name": "classifier", "image": "example/iris:1"}],
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        }
    }


def test_the_revision_is_that_of_what_is_sent() -> None:
    one, other = request(annotations={})["metadata"], request()["metadata"]
    assert one["annotations"][ANNOTATION_REVISION] == other["annotations"][ANNOTATION_REVISION]


def test_what_is_started_again_as_it_is_stored_has_none_either() -> None:
    manifest = request()
    manifest["spec"] |= {"annotations": {}, "replicas": 0}
    there = SeldonDeployment.from_manifest(manifest)
    again = plan(SeldonDeployment.from_manifest(request()), [there], deploy=False).deployment
    assert "annotations" not in again.to_manifest()["spec"]


@given(json_values)
def test_pruning_again_changes_nothing(value: Any) -> None:
    once = without_empty_maps(value)
    assert without_empty_maps(once) == once
