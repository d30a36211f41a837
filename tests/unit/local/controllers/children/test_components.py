"""The children that the operator makes of a SeldonDeployment, without a cluster."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
import yaml

from airflow_provider_seldon.local.controllers.children.components import build
from airflow_provider_seldon.local.controllers.errors import ComponentError
from tests.unit.core import corpus

Manifest = dict[str, Any]

CORPUS = corpus.directory()


def deployment(**predictor: Any) -> Manifest:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://bucket/iris"}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "iris", "namespace": "models", "uid": "1"},
        "spec": {"predictors": [{"name": "default", "graph": graph} | predictor]},
    }


def containers(manifest: Manifest, child: int = 0) -> dict[str, Manifest]:
    pod = build(manifest).deployments[child]["spec"]["template"]["spec"]
    return {box["name"]: box for box in [*pod.get("initContainers", []), *pod["containers"]]}


def env(container: Manifest) -> dict[str, str]:
    return {entry["name"]: entry.get("value", "") for entry in container["env"]}


def test_prepackaged_server_gets_image_environment_ports_and_initializer() -> None:
    found = containers(deployment())
    assert list(found) == ["classifier-model-initializer", "classifier", "seldon-container-engine"]
    server = found["classifier"]
    assert server["image"] == "seldonio/sklearnserver:1.17.1"
    values = env(server)
    assert values["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"] == values["MLSERVER_HTTP_PORT"] == "9000"
    assert values["PREDICTIVE_UNIT_GRPC_SERVICE_PORT"] == "9500"
    assert values["PREDICTIVE_UNIT_ID"] == values["MLSERVER_MODEL_NAME"] == "classifier"
    assert values["MLSERVER_MODEL_URI"] == "/mnt/models"
    assert values["SELDON_DEPLOYMENT_ID"] == "iris"
    assert json.loads(values["PREDICTIVE_UNIT_PARAMETERS"]) == [
        {"name": "model_uri", "value": "/mnt/models", "type": "STRING"}
    ]
    initializer = found["classifier-model-initializer"]
    assert initializer["args"] == ["gs://bucket/iris", "/mnt/models"]
    assert {"mountPath": "/mnt/models", "name": "classifier-provision-location"} in initializer[
        "volumeMounts"
    ]


def test_open_inference_protocol_takes_mlserver_and_its_health_paths() -> None:
    manifest = deployment()
    manifest["spec"]["protocol"] = "v2"
    components = build(manifest)
    server = containers(manifest)["classifier"]
    assert server["image"] == "seldonio/mlserver:1.3.5-sklearn"
    assert env(server)["MLSERVER_MODEL_IMPLEMENTATION"] == "mlserver_sklearn.SKLearnModel"
    assert server["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert (
        components.address == "http://iris-default.models.svc.cluster.local:8000/v2/models/classifier/infer"
    )


def test_storage_secret_reaches_only_the_initializer() -> None:
    manifest = deployment()
    manifest["spec"]["predictors"][0]["graph"]["envSecretRefName"] = "storage"
    found = containers(manifest)
    assert found["classifier-model-initializer"]["envFrom"] == [{"secretRef": {"name": "storage"}}]
    assert "envFrom" not in found["classifier"]


def test_claim_is_mounted_for_the_initializer() -> None:
    manifest = deployment()
    manifest["spec"]["predictors"][0]["graph"]["modelUri"] = "pvc://models/iris"
    pod = build(manifest).deployments[0]["spec"]["template"]["spec"]
    assert pod["initContainers"][0]["args"] == ["/mnt/pvc/iris", "/mnt/models"]
    claims = [one["persistentVolumeClaim"] for one in pod["volumes"] if "persistentVolumeClaim" in one]
    assert claims == [{"claimName": "models"}]


@pytest.mark.parametrize(
    ("component", "predictor", "spec", "wanted"),
    [(4, 3, 2, 4), (None, 3, 2, 3), (None, None, 2, 2), (None, None, None, None), (0, 3, None, 0)],
)
def test_nearest_replicas_win_without_a_default(
    component: int | None, predictor: int | None, spec: int | None, wanted: int | None
) -> None:
    manifest = deployment(componentSpecs=[{"spec": {"containers": []}}])
    owners = (manifest["spec"]["predictors"][0]["componentSpecs"][0], manifest["spec"]["predictors"][0])
    for owner, replicas in zip((*owners, manifest["spec"]), (component, predictor, spec), strict=True):
        if replicas is not None:
            owner["replicas"] = replicas
    assert build(manifest).deployments[0]["spec"].get("replicas") == wanted


@pytest.mark.parametrize(
    "scaling",
    [
        {"hpaSpec": {"maxReplicas": 3}},
        {"kedaSpec": {"triggers": []}},
        {"hpaSpec": {"maxReplicas": 3}, "kedaSpec": {"triggers": []}},
    ],
)
def test_autoscaler_takes_the_replicas_out_of_the_operators_hands(scaling: Manifest) -> None:
    component = {"spec": {"containers": []}, "replicas": 2} | scaling
    components = build(deployment(componentSpecs=[component], replicas=5))
    assert "replicas" not in components.deployments[0]["spec"]
    kinds = [len(components.horizontal_pod_autoscalers), len(components.scaled_objects)]
    assert kinds == ([0, 1] if "kedaSpec" in scaling else [1, 0])


def test_engine_gets_the_predictor_with_defaults_without_fields_that_must_not_roll_it() -> None:
    first = deployment(traffic=20, replicas=3, explainer={"type": "AnchorTabular"}, annotations={"a": "b"})
    second = deployment(traffic=80, replicas=1, annotations={"a": "b"})
    values = [env(containers(one)["seldon-container-engine"])["ENGINE_PREDICTOR"] for one in (first, second)]
    assert values[0] == values[1]
    predictor = json.loads(base64.b64decode(values[0]))
    assert predictor["annotations"] == {"a": "b"}
    assert predictor["labels"] == {"version": "default"}
    assert predictor["graph"]["endpoint"]["httpPort"] == 9000
    assert predictor["graph"]["type"] == "MODEL"


def test_containers_count_their_ports_up_and_share_the_first_pod() -> None:
    boxes = [{"name": name, "image": "x"} for name in ("one", "two")]
    graph = {"name": "one", "type": "MODEL", "children": [{"name": "two", "type": "MODEL"}]}
    found = containers(deployment(graph=graph, componentSpecs=[{"spec": {"containers": boxes}}]))
    ports = {name: env(found[name])["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"] for name in ("one", "two")}
    assert ports == {"one": "9000", "two": "9001"}


def test_rolling_update_never_takes_a_pod_away_first() -> None:
    strategy = build(deployment()).deployments[0]["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": "25%"}}


@pytest.mark.parametrize(("given", "wanted"), [(None, 600), (30, 30)])
def test_progress_deadline(given: int | None, wanted: int) -> None:
    more = {} if given is None else {"progressDeadlineSeconds": given}
    assert build(deployment(**more)).deployments[0]["spec"]["progressDeadlineSeconds"] == wanted


def test_metadata_of_the_seldon_deployment_itself_does_not_reach_the_children() -> None:
    manifest = deployment()
    manifest["metadata"] |= {"labels": {"mine": "1"}, "annotations": {"mine": "1"}}
    manifest["spec"]["annotations"] = {"everybody": "1"}
    child = build(manifest).deployments[0]
    for metadata in (child["metadata"], child["spec"]["template"]["metadata"]):
        assert "mine" not in metadata["labels"]
        assert "mine" not in metadata["annotations"]
        assert metadata["annotations"]["everybody"] == "1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"implementation": "NO_SUCH_SERVER"}, "Failed to get server config for NO_SUCH_SERVER"),
        ({"implementation": "TRITON_SERVER"}, "no image compatible with seldon protocol for TRITON_SERVER"),
        ({"modelUri": "pvc:///iris"}, "Invalid URI must be pvc://<pvcname>/[path]: pvc:///iris"),
    ],
)
def test_what_cannot_be_built_is_reported_in_seldons_words(change: Manifest, message: str) -> None:
    manifest = deployment()
    manifest["spec"]["predictors"][0]["graph"] |= change
    with pytest.raises(ComponentError) as failed:
        build(manifest)
    assert str(failed.value) == message


def test_unknown_explainer_type_is_refused_in_the_open_inference_protocol_alone() -> None:
    manifest = deployment(explainer={"type": "Magic"})
    assert "Magic" in build(manifest).deployments[1]["spec"]["template"]["spec"]["containers"][0]["args"]
    manifest["spec"]["protocol"] = "v2"
    with pytest.raises(ComponentError, match=r"^Magic not supported$"):
        build(manifest)


def test_building_changes_nothing_and_is_repeatable() -> None:
    manifest = deployment()
    before = copy.deepcopy(manifest)
    assert build(manifest) == build(manifest)
    assert manifest == before


@pytest.mark.skipif(not CORPUS, reason="no corpus of manifests on this machine")
def test_every_manifest_that_admission_accepts_can_be_built_or_is_refused_in_words() -> None:
    assert CORPUS is not None
    index = json.loads((CORPUS / "manifests-index.json").read_text())
    accepted = [one for one in index if not one["crd_schema_errors"] and not one["predicted_webhook_errors"]]
    refused = {}
    for one in accepted:
        manifest = yaml.safe_load((CORPUS / "manifests" / one["file"]).read_text())
        manifest.setdefault("metadata", {}).setdefault("name", "unnamed")
        manifest["metadata"]["namespace"] = "models"
        try:
            json.dumps(build(manifest).deployments)
        except ComponentError as error:
            refused[one["file"]] = str(error)
    assert len(refused) < len(accepted) / 20, refused
