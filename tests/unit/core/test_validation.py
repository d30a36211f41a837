from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from airflow_provider_seldon.core.errors import InvalidRequestError, Problem
from airflow_provider_seldon.core.resource import API_VERSION, KIND, SeldonDeployment
from airflow_provider_seldon.core.validation import (
    PREPACKAGED_SERVERS,
    admission_message,
    ensure_valid,
    validate,
)
from tests.unit.core import corpus
from tests.unit.core.strategies import manifests

SKLEARN = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://m/1"}
PREDICTOR: dict[str, Any] = {"name": "default", "graph": SKLEARN}


def deployment(spec: Any, name: Any = "iris", **metadata: Any) -> SeldonDeployment:
    manifest = {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name, **metadata}, "spec": spec}
    return SeldonDeployment.from_manifest(copy.deepcopy(manifest))


def spec(*predictors: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"predictors": list(predictors) or [PREDICTOR], **fields}


def changed(**fields: Any) -> dict[str, Any]:
    return {**PREDICTOR, **fields}


def graph(**fields: Any) -> dict[str, Any]:
    return spec({**PREDICTOR, "graph": {**SKLEARN, **fields}})


def custom(*containers: Any, **node: Any) -> dict[str, Any]:
    component = {"spec": {"containers": list(containers)}}
    return spec({"name": "default", "graph": node, "componentSpecs": [component]})


def by_admission(problems: list[Problem]) -> list[Problem]:
    return [problem for problem in problems if problem.admission]


KAFKA = [{"name": name, "value": "x"} for name in ("KAFKA_BROKER", "KAFKA_INPUT_TOPIC", "KAFKA_OUTPUT_TOPIC")]
CONTAINER_MISSING = "Can't find container for Predictive Unit"
SUM_OF_MANY = "Traffic must sum to 100 for multiple predictors"
SUM_OF_ONE = "Traffic must sum be 100 for a single predictor when set"
ONE_TYPE = "Multiple endpoint.types found - can only have 1 type in graph. Please use spec.transport"
MIXED = "Mixed transport types found. Remove graph endpoint.types if transport set at deployment level"
KAFKA_TEXT = "For kafka please supply svcOrchSpec envs KAFKA_BROKER, KAFKA_INPUT_TOPIC, KAFKA_OUTPUT_TOPIC"

REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (spec(protocol="grpc"), "spec.protocol", 'spec: Invalid value: "grpc": Invalid protocol'),
    (spec(transport="REST"), "spec.transport", 'spec: Invalid value: "REST": Invalid transport'),
    (spec(serverType="http"), "spec.serverType", 'spec: Invalid value: "http": Invalid serverType'),
    ({"predictors": []}, "spec.predictors", 'spec: Invalid value: "": Graph contains no predictors'),
    (
        spec(changed(traffic=100), PREDICTOR),
        "spec.predictors[1].name",
        'spec.predictors[1]: Invalid value: "default": Duplicate predictor name',
    ),
    (
        spec({"name": "default", "graph": {"name": "classifier"}}),
        "spec.predictors[0].graph.name",
        f'spec.predictors[0].graph: Invalid value: "classifier": {CONTAINER_MISSING}',
    ),
    (
        graph(children=[{"name": "a", "implementation": "UNKNOWN_IMPLEMENTATION"}]),
        "spec.predictors[0].graph.children[0].name",
        f'spec.predictors[0].graph[0]: Invalid value: "a": {CONTAINER_MISSING}',
    ),
    (
        custom({"name": "a", "image": "i"}, name="a", type="UNKNOWN_TYPE"),
        "spec.predictors[0].graph.methods",
        'spec.predictors[0].graph: Invalid value: "a": Predictive Unit has no implementation methods defined. '
        "Change to a known type or add what methods it defines",
    ),
    (
        graph(modelUri=""),
        "spec.predictors[0].graph.modelUri",
        'spec.predictors[0].graph: Invalid value: "classifier": '
        "Predictive unit modelUri required when using standalone servers",
    ),
    *(
        (
            {**graph(implementation=server), "protocol": "tensorflow"},
            "spec.protocol",
            'spec.predictors[0].graph: Invalid value: "classifier": '
            f"Prepackaged server does not handle tensorflow protocol {server}",
        )
        for server in ("SKLEARN_SERVER", "XGBOOST_SERVER", "MLFLOW_SERVER", "HUGGINGFACE_SERVER")
    ),
    (
        graph(implementation="LIGHTGBM_SERVER"),
        "spec.predictors[0].graph.implementation",
        'spec.predictors[0].graph: Invalid value: "classifier": No entry in predictors map for LIGHTGBM_SERVER',
    ),
    (
        graph(logger={"url": "http://log"}),
        "spec.predictors[0].graph.logger.mode",
        'spec.predictors[0].graph: Invalid value: "": No logger mode specified',
    ),
    (
        spec(changed(traffic=60), changed(name="b", traffic=30)),
        "spec.predictors[*].traffic",
        f'spec: Invalid value: "default": {SUM_OF_MANY}',
    ),
    (
        spec(PREDICTOR, changed(name="b")),
        "spec.predictors[*].traffic",
        f'spec: Invalid value: "default": {SUM_OF_MANY}',
    ),
    (
        spec(changed(traffic=50)),
        "spec.predictors[0].traffic",
        f'spec: Invalid value: "default": {SUM_OF_ONE}',
    ),
    (
        spec(PREDICTOR, changed(name="b", shadow=True), changed(name="c", shadow=True)),
        "spec.predictors[2].shadow",
        'spec: Invalid value: "c": Multiple shadows are not allowed',
    ),
    (
        spec(PREDICTOR, changed(name="b", shadow=True, traffic=101)),
        "spec.predictors[1].traffic",
        'spec: Invalid value: "b": shadow traffic is illegal, the traffic number should be between [0, 100]',
    ),
    (
        spec(changed(shadow=True)),
        "spec.predictors[0].shadow",
        'spec.predictors[0]: Invalid value: "default": Shadow can not exist as only predictor',
    ),
    (
        spec(serverType="kafka"),
        "spec.predictors[0].svcOrchSpec.env",
        f'spec.predictors[0]: Invalid value: "default": {KAFKA_TEXT}',
    ),
    (
        spec(changed(svcOrchSpec={"env": KAFKA[:2]}), serverType="kafka"),
        "spec.predictors[0].svcOrchSpec.env",
        f'spec.predictors[0]: Invalid value: "default": {KAFKA_TEXT}',
    ),
    (
        spec(
            changed(
                annotations={"seldon.io/no-engine": "true"},
                graph={**SKLEARN, "children": [{**SKLEARN, "name": "b"}]},
            )
        ),
        "spec.predictors[0].annotations.seldon.io/no-engine",
        'spec.predictors[0]: Invalid value: "default": '
        "Running without engine only valid for single element graphs",
    ),
    (
        spec(
            changed(annotations={"seldon.io/svc-name": "s"}, traffic=50),
            changed(name="b", annotations={"seldon.io/svc-name": "s"}, traffic=50),
        ),
        "spec.predictors[1].annotations.seldon.io/svc-name",
        'spec.predictors[1]: Invalid value: "b": '
        "Found duplicate service name in seldon.io/svc-name with value s",
    ),
    (
        graph(
            endpoint={"type": "REST"},
            children=[{**SKLEARN, "name": "b", "endpoint": {"type": "GRPC"}}],
        ),
        "spec.transport",
        f'spec: Invalid value: "": {ONE_TYPE}',
    ),
    (
        {**graph(endpoint={"type": "GRPC"}), "transport": "rest"},
        "spec.transport",
        f'spec: Invalid value: "": {MIXED}',
    ),
]


@pytest.mark.parametrize(("given_spec", "field", "cause"), REFUSED)
def test_what_the_webhook_refuses_is_refused_in_its_words(
    given_spec: dict[str, Any], field: str, cause: str
) -> None:
    given_deployment = deployment(given_spec)
    problems = validate(given_deployment)
    (problem,) = problems
    assert problem.admission
    assert (problem.field, problem.cause) == (field, cause)
    assert problem.fix
    assert admission_message(problems, given_deployment) == (
        'admission webhook "v1.vseldondeployment.kb.io" denied the request: '
        f'SeldonDeployment.machinelearing.seldon.io "" is invalid: {cause}'
    )


ACCEPTED: list[dict[str, Any]] = [
    spec(),
    *(spec(protocol=protocol) for protocol in ("seldon", "v2", "kfserving", "")),
    spec(changed(traffic=100)),
    spec(changed(traffic=0)),
    spec(changed(traffic=60), changed(name="b", traffic=40)),
    spec(PREDICTOR, changed(name="b", shadow=True, traffic=10)),
    spec(changed(svcOrchSpec={"env": KAFKA}), serverType="kafka"),
    spec(changed(annotations={"seldon.io/no-engine": "true"})),
    graph(implementation="HUGGINGFACE_SERVER", modelUri=None) | {"protocol": "v2"},
    {**graph(implementation="TENSORFLOW_SERVER"), "protocol": "tensorflow"},
    {**graph(endpoint={"type": "REST"}), "transport": "rest"},
    custom({"name": "a", "image": "i"}, name="a"),
    custom({"name": "a", "image": "i"}, name="a", type="UNKNOWN_TYPE", methods=["ROUTE"]),
    custom({"name": "a", "image": "i"}, name="a", implementation="MY_SERVER", modelUri="s3://m"),
    graph(implementation="RANDOM_ABTEST", modelUri=None, children=[{**SKLEARN, "name": "b"}]),
    graph(logger={"mode": "all"}),
]


@pytest.mark.parametrize("given_spec", ACCEPTED)
def test_what_seldon_takes_is_let_through(given_spec: dict[str, Any]) -> None:
    without_nulls = json.loads(json.dumps(given_spec).replace(', "modelUri": null', ""))
    assert validate(deployment(without_nulls)) == []
    ensure_valid(deployment(without_nulls))


def test_a_cluster_may_know_more_servers() -> None:
    own = deployment(graph(implementation="LIGHTGBM_SERVER"))
    assert validate(own, known_servers={*PREPACKAGED_SERVERS, "LIGHTGBM_SERVER"}) == []
    assert validate(own, known_servers=None) == []
    (problem,) = validate(deployment(spec()), known_servers=())
    assert problem.message == "No entry in predictors map for SKLEARN_SERVER"


def test_several_refusals_make_one_sentence_with_the_specs_name() -> None:
    given_deployment = deployment(spec(changed(traffic=50), protocol="x", name="old-name"))
    message = admission_message(validate(given_deployment), given_deployment)
    assert message.endswith(
        'SeldonDeployment.machinelearing.seldon.io "old-name" is invalid: '
        f'[spec: Invalid value: "x": Invalid protocol, spec: Invalid value: "default": {SUM_OF_ONE}]'
    )


def test_what_only_we_refuse_makes_no_sentence_of_the_webhook() -> None:
    given_deployment = deployment(spec(), name="Iris")
    problems = validate(given_deployment)
    assert [problem.admission for problem in problems] == [False]
    assert admission_message(problems, given_deployment) == ""


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
        (
            spec(changed(explainer={"type": "anchor_tabular"})),
            "spec.predictors[0].explainer.type",
            "unknown value",
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
        (deployment(spec(), name="x" * 56), "spec.predictors[0].name", "has 64 characters"),
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
def test_real_manifests_are_refused_exactly_where_the_webhook_would() -> None:
    assert ROOT is not None
    index = json.loads((ROOT / "manifests-index.json").read_text())
    for entry in index:
        given_deployment = SeldonDeployment.from_manifest(Path(ROOT, "manifests", entry["file"]).read_text())
        texts = sorted(problem.message for problem in by_admission(validate(given_deployment)))
        predicted = sorted(error.rpartition(": ")[2] for error in entry["predicted_webhook_errors"])
        assert texts == predicted, entry["file"]


@pytest.mark.skipif(ROOT is None, reason="no corpus on this machine")
def test_real_manifests_that_break_the_schema_are_refused() -> None:
    assert ROOT is not None
    index = json.loads((ROOT / "manifests-index.json").read_text())
    for entry in index:
        if entry["crd_schema_errors"] and entry["apiVersion"]:
            text = Path(ROOT, "manifests", entry["file"]).read_text()
            problems = validate(SeldonDeployment.from_manifest(text))
            assert any(not problem.admission for problem in problems), entry["file"]
