"""``SeldonApplyOperator``: a manifest of the user's own, with all that a deploy does."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.exceptions import (
    InvalidModelServerError,
    RolloutFailedError,
    UndeclaredFieldsError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.operators.apply import SeldonApplyOperator
from tests.clusters import patience
from tests.clusters.misbehaviour import crashing
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import requests_of_ours

EXAMPLE = Path(__file__).parents[2] / "example_dags" / "traffic_split.py"
FAST = {"suspect_after": 0.2, "crash_loop_count": 1}
CHAIN = """
metadata:
  name: pipeline
spec:
  predictors:
    - name: default
      graph:
        name: scaler
        type: TRANSFORMER
        implementation: SKLEARN_SERVER
        modelUri: s3://models/scaler/1
        children:
          - name: classifier
            implementation: SKLEARN_SERVER
            modelUri: s3://models/classifier/1
"""


def operator(manifest: Any, **arguments: Any) -> SeldonApplyOperator:
    defaults: dict[str, Any] = {"timeout": patience(30), "deferrable": False, "failure_policy": FAST}
    return SeldonApplyOperator(task_id="apply", manifest=manifest, **{**defaults, **arguments})


def apply(manifest: Any, **arguments: Any) -> dict[str, Any]:
    return operator(manifest, **arguments).execute(context(task_id="apply"))


def example(**params: Any) -> SeldonApplyOperator:
    """The example DAG's task, rendered as Airflow does before it runs."""
    spec = importlib.util.spec_from_file_location("traffic_split_example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    task: SeldonApplyOperator = module.apply
    task.resolve_template_files()
    task.render_template_fields({"params": {**task.dag.params.dump(), **params}})
    return task


def test_a_graph_is_applied_waited_for_and_named_as_its_manifest_says(hook: SeldonHook) -> None:
    result = apply(CHAIN)
    assert (result["action"], result["state"]) == ("created", "Available")
    assert (result["name"], result["model_name"]) == ("pipeline", "pipeline")
    (stored,) = hook.client.find()
    assert [node.name for node in stored.predictors[0].nodes] == ["scaler", "classifier"]


def test_the_same_manifest_again_writes_nothing(hook: SeldonHook, local_seldon: Any) -> None:
    apply(CHAIN)
    local_seldon.requests.clear()
    assert apply(CHAIN)["action"] == "unchanged"
    assert requests_of_ours(local_seldon) == ["list seldondeployments", "list deployments"]


def test_another_version_is_updated_in_place_and_a_bad_one_is_rolled_back(hook: SeldonHook) -> None:
    first = apply(CHAIN)
    second = apply(CHAIN.replace("classifier/1", "classifier/2"))
    assert (second["action"], second["prediction_url"]) == ("updated", first["prediction_url"])
    graph = yaml.safe_load(CHAIN)
    with pytest.raises(RolloutFailedError, match="which is ready") as caught:
        apply({**graph, "spec": {"predictors": [crashing(one) for one in graph["spec"]["predictors"]]}})
    assert caught.value.rolled_back_to == second["revision"]
    assert hook.client.get("pipeline").annotations[ANNOTATION_REVISION] == second["revision"]


def test_a_dry_run_shows_the_change_of_the_graph(hook: SeldonHook) -> None:
    apply(CHAIN)
    shown = apply(CHAIN.replace("classifier/1", "classifier/2"), dry_run=True)
    assert "modelUri: s3://models/classifier/2" in shown["diff"]
    assert "s3://models/classifier/1" in json.dumps(hook.client.get("pipeline").to_manifest()["spec"])


def test_a_graph_alone_needs_a_name(hook: SeldonHook) -> None:
    graph = {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": "s3://models/iris/1"}
    with pytest.raises(InvalidModelServerError, match="model_name"):
        apply(graph)
    assert apply(graph, name="iris")["model_name"] == "iris"


def test_what_is_no_manifest_is_refused(hook: SeldonHook) -> None:
    with pytest.raises(InvalidModelServerError, match="manifest"):
        apply("kind: [")
    with pytest.raises(TypeError, match="model_uri"):
        operator(CHAIN, model_uri="s3://models/iris/1")


def test_the_example_serves_both_versions_and_a_change_of_traffic_restarts_no_pod(hook: SeldonHook) -> None:
    def run(**params: Any) -> dict[str, Any]:
        task = example(champion="s3://models/iris/1", challenger="s3://models/iris/2", **params)
        task.deferrable = False
        return task.execute(context(dag_id="traffic_split", task_id="apply"))

    first = run()
    assert (first["name"], first["action"], first["state"]) == ("iris-ab", "created", "Available")
    assert hook.predict("iris-ab", [[5.1, 3.5, 1.4, 0.2]])
    pods = {pod["metadata"]["name"] for pod in hook.client.pods.of_deployment("iris-ab")}
    assert run(challenger_traffic=50)["action"] == "updated"
    stored = hook.client.get("iris-ab").to_manifest()["spec"]["predictors"]
    assert {one["name"]: one["traffic"] for one in stored} == {"champion": 50, "challenger": 50}
    assert {pod["metadata"]["name"] for pod in hook.client.pods.of_deployment("iris-ab")} == pods


def test_a_manifest_with_fields_that_the_crd_lacks_is_refused_or_applied_without_them(
    hook: SeldonHook, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = yaml.safe_load(CHAIN)
    manifest["spec"]["predictors"][0]["graph"]["endpoint"] = {"type": "REST", "grpc_port": 5}
    field = "spec.predictors[0].graph.endpoint.grpc_port"
    with pytest.raises(UndeclaredFieldsError, match="drop_unknown_fields=True") as refused:
        apply(manifest)
    assert refused.value.fields == (field,)
    assert hook.client.find() == []
    done = apply(manifest, drop_unknown_fields=True)
    assert (done["action"], done["state"]) == ("created", "Available")
    assert field in caplog.text
    assert apply(manifest, drop_unknown_fields=True)["action"] == "unchanged"
    graph = hook.client.get("pipeline").to_manifest()["spec"]["predictors"][0]["graph"]
    assert graph["endpoint"] == {"type": "REST"}


def test_a_name_that_is_hashed_serves_and_is_deleted_to_the_last_pod(hook: SeldonHook) -> None:
    name = "pipeline-" + "1234567890-" * 5 + "12"
    assert len(name) == 66
    manifest = yaml.safe_load(CHAIN)
    manifest["metadata"]["name"] = name
    assert apply(manifest)["state"] == "Available"
    assert {child["metadata"]["name"][:7] for child in hook.client.children(name)} == {"seldon-"}
    assert hook.client.pods.of_deployment(name)
    assert hook.delete_model_server(name)
    assert hook.client.pods.of_deployment(name) == []


def test_annotations_can_be_emptied(hook: SeldonHook) -> None:
    manifest = yaml.safe_load(CHAIN)
    manifest["spec"]["annotations"] = {"project": "iris"}
    apply(manifest)
    manifest["spec"]["annotations"] = {}
    assert apply(manifest)["state"] == "Available"
    assert "annotations" not in hook.client.get("pipeline").to_manifest()["spec"]


@pytest.mark.own_operator("its garbage collector is slow")
def test_no_pod_of_what_was_dropped_gets_a_request_once_the_task_is_green(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a busy collector: the old Deployment is being deleted, its pod is still behind the Service."""
    monkeypatch.setattr(local_seldon.server._garbage, "_delay", 0.5)
    graph = yaml.safe_load(CHAIN)
    (predictor,) = graph["spec"]["predictors"]
    explained = {**predictor, "explainer": {"type": "AnchorTabular", "modelUri": "s3://models/explainer"}}
    apply({**graph, "spec": {"predictors": [explained]}})
    apart = [{"spec": {"containers": [{"name": name}]}} for name in ("scaler", "classifier")]
    result = apply({**graph, "spec": {"predictors": [{**predictor, "componentSpecs": apart}]}})
    pods = hook.client._transport.request("GET", f"/api/v1/namespaces/{hook.namespace}/pods")["items"]
    serving = {pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]}
    assert all(name.startswith(("pipeline-default-0-scaler-", "pipeline-default-1-")) for name in serving)
    assert (len(serving), result.get("weaker")) == (2, None)


@pytest.mark.own_operator("its requests go wrong")
def test_services_are_those_of_the_spec_before_a_task_is_green(hook: SeldonHook, local_seldon: Any) -> None:
    """The operator writes them before the Deployments, in each of its passes: those prove them."""
    graph = yaml.safe_load(CHAIN)
    (predictor,) = graph["spec"]["predictors"]
    apply(graph)
    refused = local_seldon.controller_faults.add(
        Fault(verb="create", resource="services", status=500, count=3, message="etcdserver: leader changed")
    )
    named = {**predictor, "annotations": {"seldon.io/svc-name": "renamed"}}
    assert apply({**graph, "spec": {"predictors": [named]}}).get("weaker") is None
    services = hook.client._transport.request("GET", f"/api/v1/namespaces/{hook.namespace}/services")
    assert "renamed" in {one["metadata"]["name"] for one in services["items"]}
    assert refused.hits == 3
