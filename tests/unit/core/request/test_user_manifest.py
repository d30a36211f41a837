from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from airflow_provider_seldon.core.identity import revision as revisions
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_IMPLEMENTATION,
    ANNOTATION_MODEL_URI,
    ANNOTATION_REVISION,
    LABEL_MANAGED_BY,
)
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.request.model_server import ModelServer
from airflow_provider_seldon.core.request.validation import validate
from airflow_provider_seldon.core.resource.seldon_deployment import API_VERSION, GROUP, KIND, SeldonDeployment
from tests.unit.core import corpus
from tests.unit.core.strategies import manifests

MINE = Identity(dag_id="d", task_id="t", model_name="m", run_id="r")
NODE = {"name": "router", "implementation": "RANDOM_ABTEST", "children": [{"name": "a"}, {"name": "b"}]}
PREDICTOR = {"graph": {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "s3://m/1"}}
SPEC = {"predictors": [{"name": "main", **PREDICTOR}]}


def whole(**metadata: Any) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "mine"} | metadata, "spec": SPEC}


def built(manifest: Any, *, secret_name: str | None = None, **arguments: Any) -> dict[str, Any]:
    server = ModelServer.create(model_name="m", manifest=manifest, **arguments)
    return server.to_deployment(identity=MINE, secret_name=secret_name).to_manifest()


def refused(manifest: Any, **arguments: Any) -> list[Problem]:
    with pytest.raises(InvalidRequestError) as raised:
        ModelServer.create(model_name="m", manifest=manifest, **arguments)
    return list(raised.value.problems)


@pytest.mark.parametrize(
    ("given_manifest", "graph", "name"),
    [
        (whole(), PREDICTOR["graph"], "main"),
        (SPEC, PREDICTOR["graph"], "main"),
        (PREDICTOR, PREDICTOR["graph"], "default"),
        (NODE, NODE, "default"),
        ({"spec": SPEC}, PREDICTOR["graph"], "main"),
    ],
    ids=["deployment", "spec", "predictor", "node", "without kind"],
)
@pytest.mark.parametrize("write", [dict, yaml.safe_dump, json.dumps])
def test_every_shape_of_manifest_takes_the_same_path(
    given_manifest: Any, graph: Any, name: str, write: Any
) -> None:
    made = built(write(given_manifest))
    (predictor,) = made["spec"]["predictors"]
    assert (made["apiVersion"], made["kind"]) == (API_VERSION, KIND)
    assert (predictor["graph"], predictor["name"]) == (graph, name)
    assert predictor["annotations"] == {ANNOTATION_REVISION: revisions.revision(predictor)}
    assert MINE.labels().items() <= made["metadata"]["labels"].items()
    assert MINE.annotations().items() <= made["metadata"]["annotations"].items()


def test_the_users_own_metadata_is_kept() -> None:
    made = built(
        whole(
            namespace="models", labels={"team": "a"}, annotations={"x": "y"}, ownerReferences=[{"uid": "1"}]
        )
    )
    metadata = made["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("mine", "models")
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"]["x"] == "y"
    assert metadata["ownerReferences"] == [{"uid": "1"}]


def test_annotations_of_predictors_are_kept_besides_the_stamp() -> None:
    made = built({"predictors": [{**SPEC["predictors"][0], "annotations": {"a": "b"}}]})
    assert made["spec"]["predictors"][0]["annotations"]["a"] == "b"


def test_what_the_server_owns_is_dropped() -> None:
    dumped = {
        **whole(
            uid="1",
            resourceVersion="2",
            generation=3,
            creationTimestamp="2024-01-01T00:00:00Z",
            managedFields=[{}],
            selfLink="/x",
            annotations={"kubectl.kubernetes.io/last-applied-configuration": "{}", "x": "y"},
        ),
        "status": {"state": "Available"},
    }
    made = built(dumped)
    assert "status" not in made
    assert set(made["metadata"]) == {"name", "labels", "annotations"}
    assert "last-applied" not in json.dumps(made)


def test_a_manifest_read_back_from_the_cluster_makes_the_same_request() -> None:
    first = ModelServer.create(model_name="m", manifest=whole(labels={"team": "a"}))
    deployed = first.to_deployment(identity=MINE)
    again = ModelServer.create(
        model_name="m", manifest={**deployed.to_manifest(), "status": {"state": "Failed"}}
    )
    assert again == first
    assert again.to_deployment(identity=MINE) == deployed


def test_older_api_versions_are_sent_as_v1() -> None:
    assert built({**whole(), "apiVersion": f"{GROUP}/v1alpha2"})["apiVersion"] == API_VERSION


def test_nulls_and_unused_credentials_are_not_sent() -> None:
    made = built({**SPEC, "oauth_key": "k", "oauth_secret": "s", "replicas": None})
    assert set(made["spec"]) == {"predictors", "replicas"}
    assert "null" not in json.dumps(made)


def test_the_model_uri_is_found_for_the_annotations() -> None:
    annotations = built(SPEC)["metadata"]["annotations"]
    assert annotations[ANNOTATION_MODEL_URI] == "s3://m/1"
    assert annotations[ANNOTATION_IMPLEMENTATION] == "SKLEARN_SERVER"


def test_names_labels_and_protocol_are_added_where_the_manifest_is_silent() -> None:
    made = built(SPEC, name="mine", labels={"a": "1"}, annotations={"b": "2"}, protocol="v2", replicas=2)
    assert made["metadata"]["name"] == "mine"
    assert made["metadata"]["labels"]["a"] == "1"
    assert made["metadata"]["annotations"]["b"] == "2"
    assert made["spec"]["protocol"] == "v2"
    assert made["spec"]["predictors"][0]["replicas"] == 2


def test_without_a_name_the_identity_gives_one() -> None:
    assert built(SPEC)["metadata"]["name"] == MINE.deployment_name(replace=True)


def test_saying_the_same_twice_is_no_contradiction() -> None:
    assert built(whole(labels={"a": "1"}), name="mine", labels={"a": "1"})["metadata"]["name"] == "mine"


def test_storage_credentials_reach_every_node_that_loads_files_and_names_none() -> None:
    graph = {
        "name": "a",
        "modelUri": "s3://1",
        "children": [{"name": "b", "modelUri": "s3://2", "envSecretRefName": "own"}, {"name": "c"}],
    }
    spec = {
        "predictors": [{"name": "main", "graph": graph, "explainer": {"type": "ALE", "modelUri": "s3://3"}}]
    }
    (predictor,) = built(spec, secret_name="storage", service_account="reader")["spec"]["predictors"]
    node = predictor["graph"]
    assert (node["envSecretRefName"], node["serviceAccountName"]) == ("storage", "reader")
    assert [child.get("envSecretRefName") for child in node["children"]] == ["own", None]
    assert predictor["explainer"]["envSecretRefName"] == "storage"


@pytest.mark.parametrize(
    ("given_manifest", "arguments", "field", "message"),
    [
        (whole(), {"name": "other"}, "name", "but the manifest says 'mine'"),
        (whole(labels={"a": "1"}), {"labels": {"a": "2"}}, "labels.a", "but the manifest says '1'"),
        (
            whole(annotations={"a": "1"}),
            {"annotations": {"a": "2"}},
            "annotations.a",
            "but the manifest says '1'",
        ),
        ({**SPEC, "protocol": "seldon"}, {"protocol": "v2"}, "protocol", "but the manifest says 'seldon'"),
        (SPEC, {"model_uri": "s3://x"}, "model_uri", "cannot be combined with manifest"),
        (SPEC, {"implementation": "X"}, "implementation", "cannot be combined with manifest"),
        (SPEC, {"image": "x"}, "image", "cannot be combined with manifest"),
        (SPEC, {"env": {"A": "1"}}, "env", "cannot be combined with manifest"),
        (SPEC, {"parameters": {"a": 1}}, "parameters", "cannot be combined with manifest"),
        (SPEC, {"extra_args": {"traffic": 1}}, "extra_args", "cannot be combined with manifest"),
        (SPEC, {"node_name": "x"}, "node_name", "cannot be combined with manifest"),
        ({**SPEC, "replicas": 3}, {"replicas": 1}, "replicas", "the manifest says otherwise"),
        ({**PREDICTOR, "replicas": 3}, {"replicas": 1}, "replicas", "the manifest says otherwise"),
        ({"predictors": [PREDICTOR, PREDICTOR]}, {"replicas": 1}, "replicas", "ambiguous for 2 predictors"),
        (
            {**PREDICTOR, "componentSpecs": [{"hpaSpec": {"maxReplicas": 2}}]},
            {"replicas": 1},
            "replicas",
            "no effect together with the manifest's autoscaler",
        ),
        (NODE, {"secret_name": "s"}, "secret_name", "no node of the manifest has a modelUri"),
        (
            whole(labels={LABEL_MANAGED_BY: "Helm"}),
            {},
            f"manifest.metadata.labels.{LABEL_MANAGED_BY}",
            "manages",
        ),
        (
            {"kind": KIND, "metadata": {"generateName": "x-"}, "spec": SPEC},
            {},
            "manifest.metadata.generateName",
            "another deployment on every try",
        ),
        (whole(name=True), {}, "manifest.metadata.name", "is not text"),
        (whole(namespace=1), {}, "manifest.metadata.namespace", "is not text"),
        ({"kind": "Deployment"}, {}, "kind", "is not SeldonDeployment"),
        ({"kind": KIND, "metadata": {}}, {}, "manifest", "is not a mapping"),
        (
            {"kind": KIND, "metadata": {"labels": []}, "spec": SPEC},
            {},
            "manifest.metadata.labels",
            "is not a mapping",
        ),
        ({"replica": 1}, {}, "manifest", "has none of the keys"),
        ("a: [", {}, "manifest", "not readable as YAML"),
        ("[]", {}, "manifest", "is a list"),
        ("a: 1\n---\nb: 1", {}, "manifest", "has 2 documents"),
    ],
)
def test_contradictions_and_nonsense_are_refused(
    given_manifest: Any, arguments: dict[str, Any], field: str, message: str
) -> None:
    (problem,) = refused(given_manifest, **arguments)
    assert problem.field == field
    assert message in problem.message
    assert problem.fix


@pytest.mark.parametrize(
    "place",
    [
        {"componentSpecs": [{"spec": {"containers": [{"env": [{"name": "API_KEY", "value": "x"}]}]}}]},
        {"componentSpecs": [{"spec": {"initContainers": [{"env": [{"name": "API_KEY", "value": "x"}]}]}}]},
        {"svcOrchSpec": {"env": [{"name": "API_KEY", "value": "x"}]}},
        {"explainer": {"containerSpec": {"env": [{"name": "API_KEY", "value": "x"}]}}},
    ],
)
def test_credentials_in_plain_text_are_found_anywhere(place: dict[str, Any]) -> None:
    (problem,) = refused({**PREDICTOR, **place})
    assert problem.field.startswith("manifest.spec.predictors[0].")
    assert problem.field.endswith(".env.API_KEY")


def test_a_namespace_of_the_manifest_is_offered_and_may_not_be_contradicted() -> None:
    server = ModelServer.create(model_name="m", manifest=whole(namespace="models"))
    assert server.namespace == "models"
    assert ModelServer.create(model_name="m", manifest=SPEC).namespace is None
    assert server.to_deployment(identity=MINE, namespace="models").namespace == "models"
    with pytest.raises(InvalidRequestError, match="is 'models', but the deployment goes to 'other'"):
        server.to_deployment(identity=MINE, namespace="other")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(manifests)
def test_any_manifest_is_either_refused_or_round_trips(given_manifest: dict[str, Any]) -> None:
    try:
        server = ModelServer.create(model_name="m", manifest=given_manifest)
        deployment = server.to_deployment(identity=MINE, secret_name="storage")
    except InvalidRequestError:
        return
    assert ModelServer.from_deployment(deployment) == server
    assert deployment.name
    validate(deployment)


REAL = corpus.files("manifests/*.yaml")


@pytest.mark.skipif(not REAL, reason="no corpus on this machine")
def test_every_real_manifest_can_be_deployed_through_a_model_server() -> None:
    for path in REAL:
        server = ModelServer.create(model_name="m", manifest=Path(path).read_text())
        deployment = server.to_deployment(identity=MINE)
        assert ModelServer.from_deployment(deployment) == server, path.name
        original = SeldonDeployment.from_manifest(path.read_text())
        assert deployment.name == (original.name or MINE.deployment_name(replace=True))
        assert [one.name for one in deployment.predictors] == [one.name for one in original.predictors], (
            path.name
        )
