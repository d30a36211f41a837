"""Names of children: Seldon Core's own rules, too long ones included."""

from __future__ import annotations

import hashlib

import pytest

from airflow_provider_seldon.local.controllers.children import naming


def deployment(name: str) -> dict[str, object]:
    return {"metadata": {"name": name, "namespace": "models"}}


def hashed(name: str) -> str:
    return "seldon-" + hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def test_names_are_made_of_deployment_predictor_and_container() -> None:
    iris, predictor = deployment("iris"), {"name": "default"}
    component = {"spec": {"containers": [{"name": "one"}, {"name": "two"}]}}
    assert naming.component_deployment(iris, predictor, component, 1) == "iris-default-1-one-two"
    assert naming.predictor_service(iris, predictor) == "iris-default"
    assert naming.container_service(iris, predictor, "one") == "iris-default-one"
    assert naming.engine_deployment(iris, predictor) == "iris-default-svc-orch"
    assert naming.explainer(iris, predictor) == "iris-default-explainer"
    assert naming.deployment_id(iris) == "iris"


def test_component_name_replaces_the_container_names() -> None:
    component = {"metadata": {"name": "mine"}, "spec": {"containers": [{"name": "one"}]}}
    assert naming.component_deployment(deployment("iris"), {"name": "p"}, component, 0) == "iris-p-0-mine"


def test_service_name_annotation_wins() -> None:
    predictor = {"name": "default", "annotations": {"seldon.io/svc-name": "front"}}
    assert naming.predictor_service(deployment("iris"), predictor) == "front"


@pytest.mark.parametrize("length", [63, 64])
def test_more_than_63_characters_become_a_hash_of_the_name(length: int) -> None:
    name = "d" * length
    assert naming.deployment_id(deployment(name)) == (name if length == 63 else hashed(name))


def test_hash_is_of_the_whole_name() -> None:
    long = deployment("d" * 55)
    assert naming.predictor_service(long, {"name": "predictor"}) == hashed("d" * 55 + "-predictor")
