from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.validation import (
    admission_message,
    ensure_valid,
    validate,
)
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from tests.unit.core import corpus
from tests.unit.core.examples import SKLEARN, changed, custom, deployment, graph, spec
from tests.unit.core.strategies import manifests


@pytest.mark.parametrize(
    ("given_spec", "field", "message"),
    [
        (None, "spec", "is missing"),
        ({}, "spec.predictors", "is required"),
        ({"predictors": {}}, "spec.predictors", "is not a list"),
        ({"predictors": ["x"]}, "spec.predictors[0]", "is not a mapping"),
        (spec({"graph": SKLEARN}), "spec.predictors[0].name", "is required"),
        (spec({"name": "a"}), "spec.predictors[0].graph", "is required"),
        (spec({"name": "a", "graph": None}), "spec.predictors[0].graph", "is null"),
        (graph(name=None), "spec.predictors[0].graph.name", "is null"),
        (graph(children={"name": "a"}), "spec.predictors[0].graph.children", "is not a list"),
        (
            graph(parameters=[{"name": "a", "type": "BOOL", "value": True}]),
            "spec.predictors[0].graph.parameters[0].value",
            "is not text",
        ),
        (
            graph(parameters=[{"name": "a", "value": "1"}]),
            "spec.predictors[0].graph.parameters[0].type",
            "is required",
        ),
        (
            graph(parameters=[{"name": "a", "value": "1", "type": "int"}]),
            "spec.predictors[0].graph.parameters[0].type",
            "unknown value 'int'",
        ),
        (graph(type="MODLE"), "spec.predictors[0].graph.type", "unknown value 'MODLE'"),
        (graph(methods=["ROTE"]), "spec.predictors[0].graph.methods", "unknown value 'ROTE'"),
        (graph(logger={"mode": "some"}), "spec.predictors[0].graph.logger.mode", "unknown value 'some'"),
        (spec(changed(replicas="1")), "spec.predictors[0].replicas", "is not a whole number"),
        (spec(changed(replicas=1.0)), "spec.predictors[0].replicas", "is not a whole number"),
        (spec(changed(replicas=True)), "spec.predictors[0].replicas", "is not a whole number"),
        (spec(changed(replicas=-1)), "spec.predictors[0].replicas", "is less than 0"),
        (
            spec(changed(progressDeadlineSeconds=0)),
            "spec.predictors[0].progressDeadlineSeconds",
            "is less than 1",
        ),
        (spec(changed(shadow="no")), "spec.predictors[0].shadow", "is not true or false"),
        (spec(changed(annotations={"a": 1})), "spec.predictors[0].annotations.a", "is not text"),
        (spec(changed(componentSpecs=None)), "spec.predictors[0].componentSpecs", "is null"),
        (
            spec(changed(componentSpecs=[{"spec": {}}])),
            "spec.predictors[0].componentSpecs[0].spec.containers",
            "is required",
        ),
        (
            spec(changed(componentSpecs=[{"hpaSpec": {"minReplicas": 1}}])),
            "spec.predictors[0].componentSpecs[0].hpaSpec.maxReplicas",
            "is required",
        ),
        (
            spec(changed(componentSpecs=[{"hpaSpec": {"minReplicas": 3, "maxReplicas": 2}}])),
            "spec.predictors[0].componentSpecs[0].hpaSpec.minReplicas",
            "is more than maxReplicas",
        ),
        (
            spec(changed(componentSpecs=[{"kedaSpec": {}}])),
            "spec.predictors[0].componentSpecs[0].kedaSpec.triggers",
            "is required",
        ),
    ],
)
def test_what_the_schema_forbids_is_refused(given_spec: Any, field: str, message: str) -> None:
    problems = [problem for problem in validate(deployment(given_spec)) if not problem.admission]
    assert [problem.field for problem in problems] == [field]
    assert message in problems[0].message
    assert problems[0].fix


LONG = "x" * 49


@pytest.mark.parametrize(
    ("given_deployment", "field", "message"),
    [
        (deployment(spec(), name=None), "metadata.name", "is missing"),
        (deployment(spec(), name="my.model"), "metadata.name", "is not a DNS-1035 label"),
        (deployment(spec(), name="My-model"), "metadata.name", "is not a DNS-1035 label"),
        (deployment(spec(), name="1model"), "metadata.name", "is not a DNS-1035 label"),
        (deployment(spec(), name="model-"), "metadata.name", "is not a DNS-1035 label"),
        (deployment(spec(changed(name="Main"))), "spec.predictors[0].name", "is not a DNS label"),
        (deployment(spec(changed(name="my_model"))), "spec.predictors[0].name", "is not a DNS label"),
        (deployment(graph(name=LONG)), "spec.predictors[0].graph.name", "has 49 characters"),
        (deployment(graph(name="a_b")), "spec.predictors[0].graph.name", "is not a DNS label"),
        (
            deployment(graph(envSecretRefName="My Secret")),
            "spec.predictors[0].graph.envSecretRefName",
            "is not the name",
        ),
        (
            deployment(graph(serviceAccountName="a_b")),
            "spec.predictors[0].graph.serviceAccountName",
            "is not the name",
        ),
        (
            deployment(spec(changed(explainer={"type": "ALE", "envSecretRefName": "A"}))),
            "spec.predictors[0].explainer.envSecretRefName",
            "is not the name",
        ),
        (
            deployment(spec(changed(annotations={"seldon.io/svc-name": "My_Svc"}))),
            "spec.predictors[0].annotations.seldon.io/svc-name",
            "names a Service",
        ),
        (
            deployment(spec(changed(labels={"a b": "c"}))),
            "spec.predictors[0].labels.a b",
            "is not a legal key",
        ),
        (
            deployment(spec(changed(labels={"a": "b c"}))),
            "spec.predictors[0].labels.a",
            "is not a legal label value",
        ),
        (
            deployment(spec(changed(annotations={"a/b/c": "x"}))),
            "spec.predictors[0].annotations.a/b/c",
            "legal key",
        ),
        (deployment(spec(annotations={"-a": "x"})), "spec.annotations.-a", "is not a legal key"),
        (deployment(spec(), labels={"a": "x" * 64}), "metadata.labels.a", "is not a legal label value"),
        (deployment(spec(), annotations={"a": 1}), "metadata.annotations.a", "is not text"),
        (deployment(spec(), annotations={"a b": "x"}), "metadata.annotations.a b", "is not a legal key"),
        (
            deployment(graph(children=[{**SKLEARN, "children": []}])),
            "spec.predictors[0].graph.children[0].name",
            "is the name of two nodes",
        ),
        (
            deployment(custom({"name": "a", "image": "i"}, {"name": "a", "image": "j"}, name="a")),
            "spec.predictors[0].componentSpecs[0].spec.containers[1].name",
            "is the name of two containers",
        ),
        (
            deployment(custom({"name": "a", "image": "i"}, {"image": "j"}, name="a")),
            "spec.predictors[0].componentSpecs[0].spec.containers[1].name",
            "is missing",
        ),
        (
            deployment(custom({"name": "a", "image": "i"}, {"name": "B", "image": "j"}, name="a")),
            "spec.predictors[0].componentSpecs[0].spec.containers[1].name",
            "is not a DNS label",
        ),
        (
            deployment(spec(changed(componentSpecs=[{"metadata": {"labels": {"a": "b c"}}}]))),
            "spec.predictors[0].componentSpecs[0].metadata.labels.a",
            "is not a legal label value",
        ),
        (
            deployment(spec(changed(name="a", traffic=50), changed(name="a-classifier", traffic=50))),
            "spec.predictors[0].graph",
            "get the same Service name",
        ),
    ],
)
def test_names_that_fail_later_are_refused_now(
    given_deployment: SeldonDeployment, field: str, message: str
) -> None:
    (problem,) = validate(given_deployment)
    assert problem.field == field
    assert message in problem.message
    assert not problem.admission
    assert problem.fix


def test_names_at_their_limits_are_let_through() -> None:
    assert validate(deployment(spec(), name="x" * 55)) == []
    assert validate(deployment(graph(name="x" * 48))) == []
    assert validate(deployment(spec(changed(labels={"example.com/" + "k" * 63: "v" * 63})))) == []
    own_service = changed(annotations={"seldon.io/svc-name": "short"})
    assert validate(deployment(spec(own_service), name="x" * 63)) == []


@pytest.mark.parametrize(
    ("name", "legal"),
    [("x" * 64, True), ("1" * 253, True), ("x" * 254, False), ("X" * 64, False), ("1x", False)],
)
def test_a_name_that_the_operator_makes_a_hash_of_may_be_long(name: str, legal: bool) -> None:
    found = validate(deployment(spec(changed()), name=name))
    assert [problem.field for problem in found] == ([] if legal else ["metadata.name"])


def test_explainer_types_are_for_the_image_to_know_but_with_protocol_v2() -> None:
    explained = spec(changed(explainer={"type": "anchor_images"}))
    assert validate(deployment(explained)) == []
    (problem,) = validate(deployment({**explained, "protocol": "v2"}))
    assert (problem.field, "AnchorImages" in str(problem)) == ("spec.predictors[0].explainer.type", True)


def chain(length: int) -> dict[str, Any]:
    node: dict[str, Any] = {**SKLEARN, "name": f"n{length}"}
    for index in reversed(range(length)):
        node = {**SKLEARN, "name": f"n{index}", "children": [node]}
    return spec(changed(graph=node))


def test_a_graph_deeper_than_the_crd_keeps_is_refused_once() -> None:
    assert validate(deployment(chain(10))) == []
    (problem,) = validate(deployment(chain(12)))
    assert "more than 10 levels" in problem.message


def test_an_invalid_deployment_raises_with_all_problems() -> None:
    with pytest.raises(InvalidRequestError) as raised:
        ensure_valid(deployment(spec(changed(traffic=50, replicas=-1)), name="A"))
    assert len(raised.value.problems) == 3


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifests)
def test_no_manifest_breaks_validation(manifest: dict[str, Any]) -> None:
    given_deployment = SeldonDeployment.from_manifest(manifest)
    problems = validate(given_deployment)
    assert all(problem.field and problem.message and problem.fix for problem in problems)
    assert bool(admission_message(problems, given_deployment)) == any(one.admission for one in problems)


ROOT = corpus.directory()


@pytest.mark.skipif(ROOT is None, reason="no corpus on this machine")
def test_real_manifests_that_break_the_schema_are_refused() -> None:
    assert ROOT is not None
    index = json.loads((ROOT / "manifests-index.json").read_text())
    for entry in index:
        if entry["crd_schema_errors"] and entry["apiVersion"]:
            text = Path(ROOT, "manifests", entry["file"]).read_text()
            problems = validate(SeldonDeployment.from_manifest(text))
            assert any(not problem.admission for problem in problems), entry["file"]


@pytest.mark.skipif(ROOT is None, reason="no corpus on this machine")
def test_of_real_manifests_only_what_cannot_become_objects_is_refused() -> None:
    assert ROOT is not None
    index = json.loads((ROOT / "manifests-index.json").read_text())
    # Accepted for now, and reported Failed by the operator once it makes containers or Services of these names.
    too_late = (
        "is not a DNS label, but names a container",
        "which would share one container",
        "DNS-1035 label",
    )
    for entry in index:
        if entry["crd_schema_errors"] or entry["predicted_webhook_errors"]:
            continue
        text = Path(ROOT, "manifests", entry["file"]).read_text()
        problems = validate(SeldonDeployment.from_manifest(text), known_servers=None)
        assert [one for one in problems if not any(why in str(one) for why in too_late)] == [], entry["file"]


def test_a_service_name_that_seldon_replaces_by_a_hash_is_no_problem() -> None:
    assert validate(deployment(spec(changed(name="p" * 40)), name="x" * 40)) == []
