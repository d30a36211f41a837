"""Models, Secrets, volumes, variables: what a process finds when it starts."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.integration.local.cluster_client import Cluster
from tests.integration.local.process_cluster import ask, box, custom, waiting_of


def test_variables_ports_and_model_paths_are_those_of_this_machine(machine: Cluster, stores: Path) -> None:
    graph = {"name": "model", "type": "MODEL", "modelUri": str(stores / "bucket" / "iris")}
    more = {
        "env": [{"name": "WEIGHTS", "value": "/mnt/models/weights.txt"}, {"name": "TWO", "value": "$(ONE)"}]
    }
    more["env"].insert(1, {"name": "ONE", "value": "1"})
    machine.create(custom("mine", box("--record", "/mnt/models/record", **more), graph=graph))
    machine.wait_available("mine")
    ask(machine, "mine", 1)
    metadata = machine.call("GET", "/api/v1/namespaces/default/pods")["items"][0]
    assert metadata["spec"]["initContainers"][0]["args"][1] == "/mnt/models"
    path = f"{machine.gateway_url}/seldon/default/mine/api/v1.0/metadata/model"
    with urllib.request.urlopen(path, timeout=10) as response:
        env = json.loads(response.read())["env"]
    assert Path(env["WEIGHTS"]).read_text() == "42"
    assert env["WEIGHTS"] == env["SELDON_MODELS_DIR"] + "/weights.txt"
    assert (Path(env["SELDON_MODELS_DIR"]) / "record").read_text() == "/predict\n"
    assert env["TWO"] == "1"
    assert env["PREDICTIVE_UNIT_HTTP_SERVICE_PORT"] == env["MLSERVER_HTTP_PORT"] != "9000"
    assert not any(name.startswith("AIRFLOW") for name in env)


def test_secret_reaches_the_initializer_and_the_store_checks_it(machine: Cluster) -> None:
    settings = {"RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_ACCESS_KEY_ID": "key"}
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "storage"}}
    secret = machine.create(
        body | {"stringData": settings | {"RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "wrong"}}, "secrets"
    )
    graph = {"name": "model", "type": "MODEL", "modelUri": "s3://bucket/iris", "envSecretRefName": "storage"}
    machine.create(custom("mine", box(), graph=graph))
    machine.wait_for(
        lambda: waiting_of(machine, "model-model-initializer"),
        lambda one: one.get("reason") == "CrashLoopBackOff",
    )
    pod = machine.list("pods")[0]["metadata"]["name"]
    assert "AccessDenied" in machine.log(pod, "model-model-initializer", previous=True)
    secret["stringData"] = {"RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "secret"}
    machine.call("PUT", machine.path("secrets", "storage"), secret)
    machine.wait_available("mine")
    machine.delete("storage", "secrets")


@pytest.mark.parametrize(
    ("uri", "code", "text"),
    [
        ("/no/such/folder", 3, "directory not found"),
        ("file:///no/such/folder", 3, "directory not found"),
        ("s3://bucket/iris", 1, 'didn\'t find section in config file ("s3")'),
    ],
)
def test_model_that_cannot_be_copied_fails_the_initializer(
    machine: Cluster, uri: str, code: int, text: str
) -> None:
    machine.create(custom("mine", box(), graph={"name": "model", "type": "MODEL", "modelUri": uri}))
    name = "model-model-initializer"
    seen = machine.wait_for(
        lambda: waiting_of(machine, name), lambda one: one.get("reason") == "CrashLoopBackOff"
    )
    assert seen["last"]["terminated"]["exitCode"] == code
    pod = machine.list("pods")[0]["metadata"]["name"]
    assert text in machine.log(pod, name, previous=True)


def test_claim_is_copied_from_its_folder_and_an_unknown_one_keeps_the_pod_waiting_of(
    machine: Cluster,
) -> None:
    for name, claim in (("known", "claim"), ("unknown", "nowhere")):
        graph = {"name": "model", "type": "MODEL", "modelUri": f"pvc://{claim}/bucket/iris"}
        machine.create(custom(name, box(), graph=graph))
    machine.wait_available("known")
    events = machine.wait_for(lambda: machine.events("FailedMount"), bool)
    assert 'persistentvolumeclaim "nowhere" not found' in events[0]["message"]
