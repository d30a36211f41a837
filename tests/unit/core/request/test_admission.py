from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_seldon.core.invalid_request import Problem
from airflow_provider_seldon.core.request.validation import (
    PREPACKAGED_SERVERS,
    admission_message,
    ensure_valid,
    validate,
)
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from tests.unit.core import corpus
from tests.unit.core.examples import PREDICTOR, SKLEARN, changed, custom, deployment, graph, spec


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
