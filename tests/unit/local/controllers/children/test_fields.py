"""The fields of children that clients compare: ports, arguments, labels, volumes; manifests and values of our own.

Every expectation follows from the rules that were measured on a real operator (and are compared with recordings of
one in ``test_recorded.py``), not from what is built here.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from airflow_provider_seldon.local.controllers.children.components import Components, build
from airflow_provider_seldon.local.controllers.children.servers import ENGINE_IMAGE

Manifest = dict[str, Any]

ENGINE = "seldon-container-engine"


def predictor(name: str, **more: Any) -> Manifest:
    graph = {"name": "scorer", "implementation": "XGBOOST_SERVER", "modelUri": "gs://fraud/7"}
    return {"name": name, "graph": graph} | more


def sdep(*predictors: Manifest, **spec: Any) -> Manifest:
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": "fraud", "namespace": "bank", "uid": "1"},
        "spec": {"predictors": list(predictors or (predictor("blue"),))} | spec,
    }


def child(components: Components, name: str) -> Manifest:
    return next(one for one in components.deployments if one["metadata"]["name"] == name)


def service(components: Components, name: str) -> Manifest:
    return next(one for one in components.services if one["metadata"]["name"] == name)


def containers(deployment: Manifest) -> dict[str, Manifest]:
    pod = deployment["spec"]["template"]["spec"]
    return {one["name"]: one for one in [*pod["containers"], *pod.get("initContainers", [])]}


def env(container: Manifest) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container.get("env", [])}


def ports(container: Manifest) -> dict[str, int]:
    return {one["name"]: one["containerPort"] for one in container["ports"]}


def started_with(engine: Manifest) -> Manifest:
    found: Manifest = json.loads(base64.b64decode(env(engine)["ENGINE_PREDICTOR"]))
    return found


def metrics_ports(manifest: Manifest) -> dict[str, int]:
    found = {}
    for one in build(manifest).deployments:
        labels = one["metadata"]["labels"]
        found[labels["version"]] = ports(containers(one)["scorer"])["metrics"]
    return found


def test_metrics_ports_count_across_predictors_and_the_others_do_not() -> None:
    manifest = sdep(predictor("blue"), predictor("green"), predictor("red"))
    assert metrics_ports(manifest) == {"blue": 6000, "green": 6001, "red": 6002}
    for one in build(manifest).deployments:
        assert (ports(containers(one)["scorer"])["http"], ports(containers(one)["scorer"])["grpc"]) == (
            9000,
            9500,
        )


@pytest.mark.parametrize(
    ("after", "rolled"),
    [
        (("green", "red"), {"green", "red"}),
        (("blue", "green"), set()),
        (("blue", "red", "green"), {"green", "red"}),
    ],
    ids=["the first is dropped", "the last is dropped", "two change places"],
)
def test_dropping_or_reordering_an_earlier_predictor_changes_the_later_pods(
    after: tuple[str, ...], rolled: set[str]
) -> None:
    before = {
        one["metadata"]["labels"]["version"]: one for one in build(_of("blue", "green", "red")).deployments
    }
    now = {one["metadata"]["labels"]["version"]: one for one in build(_of(*after)).deployments}
    changed = {
        name for name, one in now.items() if one["spec"]["template"] != before[name]["spec"]["template"]
    }
    assert changed == rolled


def _of(*names: str) -> Manifest:
    return sdep(*(predictor(name) for name in names))


def test_containers_of_other_names_have_other_ports_in_all_predictors() -> None:
    other = predictor("green")
    other["graph"] = {"name": "ranker", "implementation": "XGBOOST_SERVER", "modelUri": "gs://rank/1"}
    components = build(sdep(predictor("blue"), other))
    assert ports(containers(child(components, "fraud-green-0-ranker"))["ranker"])["http"] == 9001


def test_engine_gets_transport_and_log_limits_and_has_no_pre_stop_hook() -> None:
    annotations = {"seldon.io/executor-logger-queue-size": "5"}
    engine = containers(build(sdep(transport="grpc", annotations=annotations)).deployments[0])[ENGINE]
    words = iter(engine["args"])
    assert dict(zip(words, words, strict=False)) == {
        "--sdep": "fraud",
        "--namespace": "bank",
        "--predictor": "blue",
        "--http_port": "8000",
        "--grpc_port": "5001",
        "--protocol": "seldon",
        "--transport": "grpc",
        "--prometheus_path": "/prometheus",
        "--server_type": "rpc",
        "--log_work_buffer_size": "5",
        "--log_write_timeout_ms": "2000",
    }
    assert engine["args"][-1] == "--full_health_checks=false"
    assert engine["image"] == ENGINE_IMAGE
    assert engine["securityContext"] == {"runAsUser": 8888, "allowPrivilegeEscalation": False}
    assert "lifecycle" not in engine


def test_engine_annotations_become_its_variables_unless_they_are_given() -> None:
    given = {"svcOrchSpec": {"env": [{"name": "LOG_LEVEL", "value": "DEBUG"}]}}
    annotations = {"seldon.io/engine-log-level": "INFO", "seldon.io/engine-seldon-log-requests": "true"}
    engine = containers(build(sdep(predictor("blue", **given), annotations=annotations)).deployments[0])[
        ENGINE
    ]
    values = env(engine)
    assert (values["LOG_LEVEL"], values["SELDON_LOG_REQUESTS"]) == ("DEBUG", "true")


def test_engine_predictor_shows_the_units_as_they_run() -> None:
    units = [{"name": "scorer", "resources": {"limits": {"cpu": "0.5", "memory": "2048Mi"}}}]
    components = [{"spec": {"containers": units, "nodeSelector": {}}}]
    given = predictor("blue", traffic=30, replicas=4, shadow=False, componentSpecs=components)
    deployment = build(sdep(given)).deployments[0]
    started = started_with(containers(deployment)[ENGINE])
    box = started["componentSpecs"][0]["spec"]["containers"][0]
    server = containers(deployment)["scorer"]
    for key in ("env", "lifecycle", "livenessProbe", "readinessProbe", "ports"):
        assert box[key] == server[key]
    assert box["resources"]["limits"] == {"cpu": "500m", "memory": "2Gi"}
    assert "nodeSelector" not in started["componentSpecs"][0]["spec"]
    assert started["componentSpecs"][0]["metadata"] == {"creationTimestamp": None}
    assert (started["replicas"], started["svcOrchSpec"], started["engineResources"]) == (0, {}, {})
    assert "traffic" not in started
    assert "type" not in started["graph"]["endpoint"]


def test_certificate_is_mounted_into_the_pod_and_the_engine_is_probed_by_https() -> None:
    deployment = build(sdep(predictor("blue", ssl={"certSecretName": "tls"}))).deployments[0]
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    assert {"name": "seldon-cert-volume", "secret": {"secretName": "tls"}} in volumes
    for name in ("scorer", ENGINE):
        container = containers(deployment)[name]
        assert env(container)["SELDON_CERT_MOUNT_PATH"] == "/cert/"
        mount = {"name": "seldon-cert-volume", "mountPath": "/cert/", "readOnly": True}
        assert mount in container["volumeMounts"]
    for probe in ("livenessProbe", "readinessProbe"):
        assert containers(deployment)[ENGINE][probe]["httpGet"]["scheme"] == "HTTPS"


def explained(protocol: str = "seldon", **explainer: Any) -> Components:
    given = {"type": "AnchorTabular", "modelUri": "gs://why/2", "replicas": 2} | explainer
    return build(sdep(predictor("blue", explainer=given), protocol=protocol))


def test_explainer_in_seldons_protocol_is_configured_by_arguments() -> None:
    components = explained(config={"beam_size": "3", "path": "gs://why/2/x.dill"})
    deployment = child(components, "fraud-blue-explainer")
    container = containers(deployment)["fraud-blue-explainer"]
    assert container["args"] == [
        "--model_name=scorer",
        "--predictor_host=fraud-blue.bank:8000",
        "--protocol=seldon.http",
        "--http_port=9000",
        "--storage_uri=/mnt/models",
        "AnchorTabular",
        "--beam_size=3",
        "--path=/mnt/models/x.dill",
    ]
    assert "env" not in container
    assert (
        container["readinessProbe"]["failureThreshold"],
        container["livenessProbe"]["failureThreshold"],
    ) == (
        7,
        5,
    )
    assert container["lifecycle"]["preStop"]
    assert "fraud-blue-explainer-model-initializer" in containers(deployment)
    assert deployment["spec"]["selector"]["matchLabels"] == {"seldon-deployment-id": "fraud"}
    assert "prometheus.io/scrape" not in deployment["spec"]["template"]["metadata"]["annotations"]
    assert deployment["spec"]["replicas"] == 2


def test_explainers_service_has_one_port_and_belongs_to_the_predictor() -> None:
    components = explained()
    found = service(components, "fraud-blue-explainer")
    assert [one["port"] for one in found["spec"]["ports"]] == [9000]
    assert found["metadata"]["labels"] == {
        "seldon-deployment-id": "fraud",
        "seldon-app": "fraud-blue",
        "seldon.io/explainer": "true",
        "app.kubernetes.io/managed-by": "seldon-core",
    }
    assert components.service_details["fraud-blue-explainer"] == {
        "svcName": "fraud-blue-explainer",
        "httpEndpoint": "fraud-blue-explainer.bank:9000",
        "explainerFor": "fraud-blue",
    }


def test_explainer_in_the_open_inference_protocol_is_configured_by_variables_alone() -> None:
    own = {"env": [{"name": "MINE", "value": "1"}], "args": ["kept"]}
    components = explained("v2", type="AnchorText", initParameters='{"p": 0.9}', containerSpec=own)
    container = containers(child(components, "fraud-blue-explainer"))["fraud-blue-explainer"]
    assert container["args"] == ["kept"]
    values = env(container)
    assert "MINE" not in values
    assert values["MLSERVER_MODEL_IMPLEMENTATION"] == "mlserver_alibi_explain.AlibiExplainRuntime"
    assert json.loads(values["MLSERVER_MODEL_EXTRA"]) == {
        "explainer_type": "anchor_text",
        "infer_uri": "http://fraud-blue.bank:8000/v2/models/scorer/infer",
        "init_parameters": {"p": 0.9},
    }


@pytest.mark.parametrize(
    ("main", "spec", "own", "wanted"),
    [(None, None, None, None), (3, 2, None, None), (0, None, 2, 0), (None, 0, 2, 0), (1, None, 2, 2)],
)
def test_explainers_number_is_its_own_unless_the_predictor_is_at_zero(
    main: int | None, spec: int | None, own: int | None, wanted: int | None
) -> None:
    explainer = {"type": "AnchorTabular"} | ({} if own is None else {"replicas": own})
    given = predictor("blue", explainer=explainer, **({} if main is None else {"replicas": main}))
    components = build(sdep(given, **({} if spec is None else {"replicas": spec})))
    assert child(components, "fraud-blue-explainer")["spec"].get("replicas") == wanted


@pytest.mark.parametrize(
    ("own", "main", "spec", "wanted"),
    [(3, 2, 1, 3), (None, 2, 1, 2), (None, None, 1, 1), (None, None, None, None)],
)
def test_separate_engine_has_the_nearest_number(
    own: int | None, main: int | None, spec: int | None, wanted: int | None
) -> None:
    given = predictor("blue", svcOrchSpec={"replicas": own}, replicas=main)
    annotations = {"seldon.io/engine-separate-pod": "true"}
    engine = child(build(sdep(given, replicas=spec, annotations=annotations)), "fraud-blue-svc-orch")
    assert engine["spec"].get("replicas") == wanted
    assert engine["metadata"]["labels"]["version"] == "blue"
    assert engine["spec"]["template"]["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
    assert engine["spec"]["template"]["spec"]["serviceAccountName"] == "default"


@pytest.mark.parametrize("shadow", [False, True])
def test_services_and_pods_say_what_they_are_for(shadow: bool) -> None:
    components = build(sdep(predictor("blue"), predictor("dark", shadow=shadow)))
    wanted = {"seldon.io/model": "true", "app.kubernetes.io/managed-by": "seldon-core"}
    wanted |= {"seldon.io/shadow": "true"} if shadow else {}
    pods = child(components, "fraud-dark-0-scorer")["spec"]["template"]["metadata"]["labels"]
    for labels in (service(components, "fraud-dark-scorer")["metadata"]["labels"], pods):
        assert {key: labels[key] for key in labels if key in wanted or "shadow" in key} == wanted


def test_claim_is_mounted_into_the_model_server_too() -> None:
    given = predictor("blue")
    given["graph"]["modelUri"] = "pvc://disk/fraud"
    deployment = build(sdep(given)).deployments[0]
    claim = {"name": "kfserving-pvc-source", "persistentVolumeClaim": {"claimName": "disk"}}
    assert claim in deployment["spec"]["template"]["spec"]["volumes"]
    for name in ("scorer", "scorer-model-initializer"):
        mounts = containers(deployment)[name]["volumeMounts"]
        assert {"name": "kfserving-pvc-source", "mountPath": "/mnt/pvc", "readOnly": True} in mounts


def served_by(implementation: str, protocol: str) -> dict[str, Manifest]:
    given = predictor("blue")
    given["graph"]["implementation"] = implementation
    return containers(build(sdep(given, protocol=protocol)).deployments[0])


def test_triton_is_probed_by_tcp_and_loads_what_the_initializer_fetched() -> None:
    server = served_by("TRITON_SERVER", "v2")["scorer"]
    assert server["readinessProbe"]["tcpSocket"] == {"port": 9000}
    assert "--model-repository=/mnt/models" in server["args"]
    assert ports(server) == {"grpc": 9500, "http": 9000}


def test_mlserver_keeps_the_times_of_its_probes_and_loses_its_metrics_port() -> None:
    server = served_by("SKLEARN_SERVER", "v2")["scorer"]
    assert server["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert server["readinessProbe"]["periodSeconds"] == 5
    assert ports(server) == {"grpc": 9500, "http": 9000}
    assert env(server)["MLSERVER_METRICS_PORT"] == "6000"


def test_tensorflow_behind_seldons_protocol_gets_the_model_itself() -> None:
    found = served_by("TENSORFLOW_SERVER", "seldon")
    assert "tfserving-model-initializer" in found
    assert [one["name"] for one in found["tfserving"]["volumeMounts"]] == ["tfserving-provision-location"]
    told = json.loads(env(found["scorer"])["PREDICTIVE_UNIT_PARAMETERS"])
    assert {one["name"]: one["value"] for one in told}["rest_endpoint"] == "http://0.0.0.0:2001"


def test_long_names_are_hashed_and_serve() -> None:
    manifest = sdep()
    manifest["metadata"]["name"] = "a" * 66
    components = build(manifest)
    names = [one["metadata"]["name"] for one in [*components.deployments, *components.services]]
    assert all(name.startswith("seldon-") and len(name) <= 63 for name in names)
    assert len({one["metadata"]["name"] for one in components.services}) == 2
