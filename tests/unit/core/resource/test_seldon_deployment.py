from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.resource.seldon_deployment import (
    API_VERSION,
    GROUP,
    KIND,
    SERVED_VERSIONS,
    DeploymentState,
    ObjectMeta,
    PredictiveUnit,
    SeldonDeployment,
)
from tests.unit.core import corpus
from tests.unit.core.strategies import json_values, manifests

MANIFESTS = [*corpus.files("manifests/*.yaml"), *corpus.files("status/*.yaml")]


def manifest(**parts: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "iris"}, **parts}


def graph(**node: Any) -> dict[str, Any]:
    return manifest(spec={"predictors": [{"name": "default", "graph": {"name": "classifier", **node}}]})


def node_of(deployment: SeldonDeployment) -> PredictiveUnit:
    return deployment.predictors[0].nodes[0]


@pytest.mark.skipif(not MANIFESTS, reason="no corpus on this machine")
def test_the_corpus_is_all_there() -> None:
    assert len(MANIFESTS) >= 225


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_real_manifest_survives_the_round_trip(path: Path) -> None:
    text = path.read_text()
    expected = yaml.safe_load(text)
    assert corpus.same(SeldonDeployment.from_manifest(expected).to_manifest(), expected)
    assert corpus.same(SeldonDeployment.from_manifest(text).to_manifest(), expected)
    assert corpus.same(SeldonDeployment.from_manifest(json.dumps(expected)).to_manifest(), expected)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifests)
def test_any_manifest_survives_the_round_trip(given_manifest: dict[str, Any]) -> None:
    before = copy.deepcopy(given_manifest)
    deployment = SeldonDeployment.from_manifest(given_manifest)
    assert corpus.same(deployment.to_manifest(), before)
    assert corpus.same(given_manifest, before)
    assert corpus.same(deployment.model_copy(deep=True).to_manifest(), before)
    # Nothing in a manifest may break what readers look at.
    assert deployment.state in DeploymentState
    assert isinstance(deployment.name + deployment.namespace + deployment.uid + deployment.description, str)
    assert isinstance(deployment.labels, dict)
    assert isinstance(deployment.annotations, dict)
    for predictor in deployment.predictors:
        assert all(isinstance(node, PredictiveUnit) for node in predictor.nodes)
        assert predictor.container("no such name") is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(json_values)
def test_any_graph_node_survives_the_round_trip(content: Any) -> None:
    node = {"name": "x", "children": [content, {"name": "y", "endpoint": content}], "model_uri": content}
    assert corpus.same(SeldonDeployment.from_manifest(graph(**node)).to_manifest(), graph(**node))


@pytest.mark.parametrize("version", SERVED_VERSIONS)
def test_all_served_versions_load(version: str) -> None:
    given_manifest = {**graph(), "apiVersion": f"{GROUP}/{version}"}
    deployment = SeldonDeployment.from_manifest(given_manifest)
    assert deployment.api_version == f"{GROUP}/{version}"
    assert deployment.predictors[0].name == "default"


def test_a_manifest_without_api_version_stays_without() -> None:
    given_manifest = {key: value for key, value in graph().items() if key != "apiVersion"}
    assert SeldonDeployment.from_manifest(given_manifest).to_manifest() == given_manifest


def test_every_field_of_the_crd_is_read_by_its_own_name() -> None:
    deployment = SeldonDeployment.from_manifest(
        manifest(
            spec={
                "protocol": "v2",
                "transport": "rest",
                "serverType": "rpc",
                "replicas": 2,
                "annotations": {"a": "b"},
                "oauth_key": "unused",
                "predictors": [
                    {
                        "name": "main",
                        "replicas": 3,
                        "traffic": 100,
                        "shadow": False,
                        "progressDeadlineSeconds": 300,
                        "ssl": {"certSecretName": "cert"},
                        "engineResources": {"limits": {"cpu": 1}},
                        "svcOrchSpec": {"env": [{"name": "A", "value": "1"}], "replicas": 1},
                        "explainer": {"type": "ALE", "containerSpec": {"name": "e"}, "initParameters": "{}"},
                        "componentSpecs": [
                            {
                                "metadata": {"name": "pods"},
                                "spec": {"containers": [{"name": "a", "image": "b"}]},
                                "hpaSpec": {"minReplicas": 1, "maxReplicas": 2, "metricsv2": []},
                                "kedaSpec": {"triggers": [{"type": "cron"}], "idleReplicaCount": 0},
                                "pdbSpec": {"maxUnavailable": "10%"},
                            }
                        ],
                        "graph": {
                            "name": "a",
                            "type": "ROUTER",
                            "methods": ["ROUTE"],
                            "modelUri": "s3://b",
                            "envSecretRefName": "s",
                            "serviceAccountName": "sa",
                            "storageInitializerImage": "i",
                            "logger": {"mode": "all"},
                            "endpoint": {"service_host": "h", "httpPort": 9000},
                            "parameters": [{"name": "p", "type": "INT", "value": "1"}],
                            "children": [{"name": "b", "children": [{"name": "c"}]}],
                        },
                    }
                ],
            }
        )
    )
    assert deployment.spec is not None
    assert (deployment.spec.server_type, deployment.spec.oauth_key) == ("rpc", "unused")
    predictor = deployment.predictors[0]
    assert predictor.ssl is not None
    assert predictor.ssl.cert_secret_name == "cert"
    assert predictor.svc_orch_spec is not None
    assert predictor.svc_orch_spec.env == [{"name": "A", "value": "1"}]
    assert predictor.explainer is not None
    assert (predictor.explainer.type, predictor.explainer.init_parameters) == ("ALE", "{}")
    component = predictor.components[0]
    assert component.hpa_spec is not None
    assert component.hpa_spec.max_replicas == 2
    assert component.keda_spec is not None
    assert component.keda_spec.idle_replica_count == 0
    assert component.pdb_spec is not None
    assert component.pdb_spec.max_unavailable == "10%"
    assert predictor.container("a") == {"name": "a", "image": "b"}
    node = node_of(deployment)
    assert [one.name for one in node.walk()] == ["a", "b", "c"]
    assert (node.model_uri, node.env_secret_ref_name, node.service_account_name) == ("s3://b", "s", "sa")
    assert node.endpoint is not None
    assert (node.endpoint.service_host, node.endpoint.http_port) == ("h", 9000)
    assert node.parameters is not None
    assert node.parameters[0].value == "1"
    every_model = [deployment, deployment.spec, predictor, component, node, predictor.explainer]
    assert all(model.__pydantic_extra__ == {} for model in every_model)


def test_values_of_wrong_types_are_carried_along() -> None:
    odd = graph(
        children={"name": "a child as an object"}, parameters=[{"name": "x", "value": True, "type": 1.0}]
    )
    odd["spec"]["predictors"][0] |= {"replicas": "1", "componentSpecs": None, "traffic": True, "shadow": 0}
    deployment = SeldonDeployment.from_manifest(odd)
    assert corpus.same(deployment.to_manifest(), odd)
    assert [node.name for node in deployment.predictors[0].nodes] == ["classifier"]
    assert deployment.predictors[0].components == []


def test_an_unknown_key_that_is_a_python_name_stays_what_it_is() -> None:
    odd = graph(model_uri="typo", endpoint={"http_port": 9000, "httpPort": None})
    deployment = SeldonDeployment.from_manifest(odd)
    assert deployment.to_manifest() == odd
    assert node_of(deployment).model_uri is None


def test_models_speak_the_crds_own_names() -> None:
    node = PredictiveUnit.model_validate(
        {"name": "a", "modelUri": "s3://b", "endpoint": {"httpPort": 1}, "children": []}
    )
    expected = {"name": "a", "modelUri": "s3://b", "endpoint": {"httpPort": 1}, "children": []}
    assert node.to_manifest() == expected
    assert ObjectMeta.model_validate({"resourceVersion": "1"}).to_manifest() == {"resourceVersion": "1"}


def test_what_goes_in_and_comes_out_is_not_shared() -> None:
    given_manifest = graph(parameters=[])
    deployment = SeldonDeployment.from_manifest(given_manifest)
    given_manifest["metadata"]["name"] = "changed"
    deployment.to_manifest()["spec"]["predictors"].clear()
    assert deployment.name == "iris"
    assert len(deployment.predictors) == 1


def test_a_change_of_the_model_reaches_the_manifest() -> None:
    deployment = SeldonDeployment.from_manifest(graph())
    deployment.predictors[0].traffic = 50
    assert deployment.to_manifest()["spec"]["predictors"][0]["traffic"] == 50


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Available", DeploymentState.AVAILABLE),
        ("available", DeploymentState.AVAILABLE),
        ("CREATING", DeploymentState.CREATING),
        ("Failed", DeploymentState.FAILED),
        ("Deleting", DeploymentState.UNKNOWN),
        ("", DeploymentState.UNKNOWN),
        (None, DeploymentState.UNKNOWN),
        (7, DeploymentState.UNKNOWN),
    ],
)
def test_the_state_is_read_in_any_case(text: Any, state: DeploymentState) -> None:
    assert SeldonDeployment.from_manifest(manifest(spec={}, status={"state": text})).state is state


@pytest.mark.parametrize("status", ["True", "False", "Unknown"])
def test_a_condition_has_its_status_as_text(status: str) -> None:
    given_manifest = manifest(spec={}, status={"conditions": [{"type": "Ready", "status": status}]})
    deployment = SeldonDeployment.from_manifest(given_manifest)
    assert deployment.status is not None
    ready = deployment.status.condition("Ready")
    assert ready is not None
    assert ready.status == status
    assert deployment.status.condition("ServicesReady") is None


def test_a_status_without_conditions_keeps_its_description() -> None:
    status = {"state": "Failed", "description": "no such server", "deploymentStatus": {"a": {"replicas": 1}}}
    deployment = SeldonDeployment.from_manifest(manifest(spec={}, status=status))
    assert deployment.description == "no such server"
    assert deployment.status is not None
    assert deployment.status.condition("Ready") is None
    assert deployment.status.deployment_status is not None
    assert deployment.status.deployment_status["a"].replicas == 1


def test_a_deployment_without_status_or_metadata_has_plain_defaults() -> None:
    deployment = SeldonDeployment.from_manifest({"kind": KIND})
    assert (deployment.name, deployment.namespace, deployment.uid) == ("", "", "")
    assert (deployment.labels, deployment.annotations, deployment.predictors) == ({}, {}, [])
    assert (deployment.state, deployment.description) == (DeploymentState.UNKNOWN, "")


@pytest.mark.parametrize(
    ("wrong", "field", "message"),
    [
        ({"kind": "Deployment", "apiVersion": "apps/v1"}, "kind", "is not SeldonDeployment"),
        ({"kind": "List", "items": []}, "kind", "is not SeldonDeployment"),
        (
            {"kind": KIND, "apiVersion": "mlops.seldon.io/v1alpha1"},
            "apiVersion",
            "is not one of Seldon Core v1",
        ),
        ({"kind": None}, "kind", "is not SeldonDeployment"),
        ({}, "manifest", "has neither kind, apiVersion nor spec"),
        ([graph()], "manifest", "is a list, not a mapping"),
        (None, "manifest", "is a NoneType, not a mapping"),
        ("just text", "manifest", "is a str, not a mapping"),
        ("", "manifest", "is empty"),
        ("a: [", "manifest", "not readable as YAML at line 1"),
        ("kind: SeldonDeployment\n---\nkind: Secret\n", "manifest", "has 2 documents"),
        ("kind: a\nkind: b\n", "manifest", "given twice"),
        ("x: &x [*x]", "manifest", "nests too deeply"),
        ("x: !!python/object/apply:os.system [ls]", "manifest", "could not determine a constructor"),
        ({"kind": KIND, "x": {1: 2}}, "manifest.x", "the key 1 is not text"),
        ({"kind": KIND, "x": [float("nan")]}, "manifest.x[0]", "type float"),
        ({"kind": KIND, "x": {"y": b""}}, "manifest.x.y", "type bytes"),
    ],
)
def test_what_is_no_seldondeployment_is_refused_by_field_and_fix(
    wrong: Any, field: str, message: str
) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        SeldonDeployment.from_manifest(wrong)
    (problem,) = raised.value.problems
    assert problem.field.startswith(field)
    assert message in problem.message
    assert problem.fix
    assert problem.fix in str(raised.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-01-31", "2024-01-31"),
        ("2020-06-27T09:58:05Z", "2020-06-27T09:58:05Z"),
        ("20:30", "20:30"),
        ("1e3", 1000.0),
        ("1.5", 1.5),
        ("12", 12),
        ("0x10", 16),
        ("1_000", 1000),
        ("-3", -3),
        ("v1.0", "v1.0"),
        ("1.2.3", "1.2.3"),
        ("yes", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("'1'", "1"),
    ],
)
def test_yaml_scalars_are_read_as_kubernetes_reads_them(text: str, value: Any) -> None:
    deployment = SeldonDeployment.from_manifest(f"kind: {KIND}\nx: {text}\n")
    assert corpus.same(deployment.to_manifest()["x"], value)
    json.dumps(deployment.to_manifest())


def test_yaml_keys_become_text_and_merges_work() -> None:
    text = f"kind: {KIND}\nbase: &b {{a: 1, b: 1}}\nx: {{<<: *b, b: 2}}\n1: one\ntrue: yes\n---\n"
    assert SeldonDeployment.from_manifest(text).to_manifest() == {
        "kind": KIND,
        "base": {"a": 1, "b": 1},
        "x": {"a": 1, "b": 2},
        "1": "one",
        "true": True,
    }


def test_a_merged_mapping_that_merges_itself_is_no_duplicate() -> None:
    text = f"kind: {KIND}\nb: &b {{x: 0}}\nouter: {{inner: &a {{<<: *b, x: 1}}}}\nc: {{<<: *a, x: 2}}\n"
    read = SeldonDeployment.from_manifest(text).to_manifest()
    assert (read["outer"], read["c"]) == ({"inner": {"x": 1}}, {"x": 2})
