"""Unknown fields, wrong types, missing fields and defaults of SeldonDeployments."""

from __future__ import annotations

from typing import Any

from tests.integration.local.apiserver.rest import APPS, Rest, deployment, seldon_deployment


def predictor(**parts: Any) -> dict[str, Any]:
    """Return a predictor."""
    return {"name": "default", "graph": {"name": "classifier"}} | parts


def test_unknown_fields_are_refused_when_strict(api: Rest) -> None:
    body = seldon_deployment("model", predictors=[predictor(foo=1, graph={"name": "x", "bar": 1})])
    answer = api.post(api.sdep(), body, fieldValidation="Strict")
    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert answer.message == (
        'SeldonDeployment in version "v1" cannot be handled as a SeldonDeployment: strict decoding error: '
        'unknown field "spec.predictors[0].foo", unknown field "spec.predictors[0].graph.bar"'
    )


def test_unknown_fields_are_pruned_with_a_warning(api: Rest) -> None:
    answer = api.post(api.sdep(), seldon_deployment("model", foo=1), fieldValidation="Warn").ok()
    assert "foo" not in answer.body["spec"]
    assert answer.headers["Warning"] == '299 - "unknown field \\"spec.foo\\""'


def test_or_without_one(api: Rest) -> None:
    answer = api.post(api.sdep(), seldon_deployment("model", foo=1), fieldValidation="Ignore").ok()
    assert "foo" not in answer.body["spec"]
    assert "Warning" not in answer.headers


def test_unknown_fields_of_containers_are_found(api: Rest) -> None:
    container = {"name": "classifier", "image": "i", "imagePullPolice": "Always"}
    body = seldon_deployment(
        "model", predictors=[predictor(componentSpecs=[{"spec": {"containers": [container]}}])]
    )
    answer = api.post(api.sdep(), body, fieldValidation="Strict")
    assert "spec.predictors[0].componentSpecs[0].spec.containers[0].imagePullPolice" in answer.message


def test_a_strict_patch_is_invalid(api: Rest) -> None:
    api.post(api.sdep(), seldon_deployment("model")).ok()
    answer = api.merge(api.sdep("model"), {"spec": {"foo": 1}}, fieldValidation="Strict")
    assert (answer.code, answer.causes) == (422, [("patch", "FieldValueInvalid")])
    assert 'strict decoding error: unknown field "spec.foo"' in answer.message


def test_an_apply_of_unknown_fields_is_a_server_error_however_strict(api: Rest) -> None:
    for strictness in ("Strict", "Warn", "Ignore"):
        body = seldon_deployment("model", metadata={"namespace": api.namespace}, foo=1)
        answer = api.apply(api.sdep("model"), body, manager="m", fieldValidation=strictness)
        assert (answer.code, answer.reason) == (500, "")
        assert answer.message == (
            f"failed to create typed patch object ({api.namespace}/model; machinelearning.seldon.io/v1, "
            "Kind=SeldonDeployment): .spec.foo: field not declared in schema"
        )


def test_an_apply_of_a_wrong_type_is_one_as_well(api: Rest) -> None:
    answer = api.apply(api.sdep("model"), seldon_deployment("model", replicas="two"), manager="m")
    assert answer.code == 500
    assert ".spec.replicas: expected numeric (int or float), got string" in answer.message


def test_wrong_types_are_refused_with_the_right_one(api: Rest) -> None:
    answer = api.post(api.sdep(), seldon_deployment("model", protocol=2))
    assert (answer.code, answer.causes) == (422, [("spec.protocol", "FieldValueTypeInvalid")])
    assert 'spec.protocol in body must be of type string: "integer"' in answer.message


def test_parameters_are_text(api: Rest) -> None:
    parameter = {"name": "x", "value": True, "type": "BOOL"}
    graph = {"name": "c", "parameters": [parameter]}
    answer = api.post(api.sdep(), seldon_deployment("model", predictors=[predictor(graph=graph)]))
    assert answer.causes == [("spec.predictors[0].graph.parameters[0].value", "FieldValueTypeInvalid")]


def test_missing_fields_are_named(api: Rest) -> None:
    predictors = [{"graph": {}, "componentSpecs": [{"hpaSpec": {"minReplicas": 1}}]}]
    answer = api.post(api.sdep(), seldon_deployment("model", predictors=predictors))
    assert answer.code == 422
    assert set(answer.causes) == {
        ("spec.predictors[0].name", "FieldValueRequired"),
        ("spec.predictors[0].graph.name", "FieldValueRequired"),
        ("spec.predictors[0].componentSpecs[0].hpaSpec.maxReplicas", "FieldValueRequired"),
    }


def test_nulls_are_dropped_on_creation_but_not_on_apply(api: Rest) -> None:
    body = seldon_deployment("model", predictors=[predictor(componentSpecs=None)], annotations=None)
    created = api.post(api.sdep(), body).ok().body["spec"]
    assert created == {"predictors": [{"name": "default", "graph": {"name": "classifier"}}]}
    applied = api.apply(api.sdep("other"), body | {"metadata": {"name": "other"}}, manager="m")
    assert applied.code == 422
    assert ("spec.annotations", "FieldValueTypeInvalid") in applied.causes


def test_ports_get_their_protocol(api: Rest) -> None:
    container = {"name": "classifier", "image": "i", "ports": [{"containerPort": 9000}]}
    predictors = [predictor(componentSpecs=[{"spec": {"containers": [container]}}])]
    created = api.post(api.sdep(), seldon_deployment("model", predictors=predictors)).ok()
    stored = created.body["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]
    assert stored["ports"] == [{"containerPort": 9000, "protocol": "TCP"}]


def test_replicas_are_a_natural_number(api: Rest) -> None:
    for replicas in (-1, 3_000_000_000):
        answer = api.post(api.sdep(), seldon_deployment("model", replicas=replicas))
        assert (answer.code, answer.causes) == (422, [(".spec.replicas", "FieldValueInvalid")])


def test_graphs_are_kept_ten_levels_deep(api: Rest) -> None:
    graph: dict[str, Any] = {"name": "level-12"}
    for level in range(11, -1, -1):
        graph = {"name": f"level-{level}", "children": [graph]}
    answer = api.post(api.sdep(), seldon_deployment("model", predictors=[predictor(graph=graph)])).ok()
    node, depth = answer.body["spec"]["predictors"][0]["graph"], 0
    while node.get("children"):
        node, depth = node["children"][0], depth + 1
    assert depth == 10


def test_misspelt_fields_of_deployments_are_found_too(api: Rest) -> None:
    answer = api.post(api.path(APPS, "deployments"), deployment("d", replica=1), fieldValidation="Strict")
    assert answer.code == 400
    assert 'unknown field "spec.replica"' in answer.message
