"""``kubectl`` against the local API server, unmodified."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_provider_seldon.local.apiserver import ApiServer, Deny, LogOptions
from tests.integration.local.apiserver.rest import (
    APPS,
    CORE,
    Rest,
    deployment,
    owned_by,
    pod,
    seldon_deployment,
)

KUBECTL = shutil.which("kubectl")
pytestmark = pytest.mark.skipif(KUBECTL is None, reason="kubectl is not installed")

Kubectl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def kubectl(local_api: ApiServer, tmp_path: Path) -> Kubectl:
    """Run kubectl with its own kubeconfig; fails the test on a wrong exit code."""
    kubeconfig = tmp_path / "kubeconfig"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "local", "cluster": {"server": local_api.url}}],
        "users": [{"name": "local", "user": {}}],
        "contexts": [
            {"name": "local", "context": {"cluster": "local", "user": "local", "namespace": "default"}}
        ],
        "current-context": "local",
    }
    kubeconfig.write_text(yaml.safe_dump(config))

    def run(
        *arguments: str, stdin: Any = None, code: int = 0, seconds: float = 60
    ) -> subprocess.CompletedProcess[str]:
        text = stdin if isinstance(stdin, str) or stdin is None else json.dumps(stdin)
        done = subprocess.run(
            [str(KUBECTL), "--kubeconfig", str(kubeconfig), "--cache-dir", str(tmp_path), *arguments],
            input=text,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def following(local_api: ApiServer, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start kubectl in the background."""
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [str(KUBECTL), "--server", local_api.url, "--cache-dir", str(tmp_path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def test_the_short_name_lists_deployments(kubectl: Kubectl, local: Rest) -> None:
    local.post(local.sdep(), seldon_deployment("model")).ok()
    lines = kubectl("get", "sdep").stdout.splitlines()
    assert lines[0].split() == ["NAME", "AGE"]
    assert lines[1].split()[0] == "model"
    assert kubectl("get", "sdep", "-o", "name").stdout.strip() == (
        "seldondeployment.machinelearning.seldon.io/model"
    )
    assert "No resources found" in kubectl("get", "sdep", "-n", "elsewhere").stderr


def test_server_side_apply_is_idempotent_and_shows_conflicts(kubectl: Kubectl, local: Rest) -> None:
    body = seldon_deployment("model", replicas=1)
    created = kubectl("apply", "--server-side", "-f", "-", stdin=body)
    assert "serverside-applied" in created.stdout
    before = local.get(local.sdep("model")).revision
    kubectl("apply", "--server-side", "-f", "-", stdin=body)
    assert local.get(local.sdep("model")).revision == before
    other = seldon_deployment("model", replicas=2)
    refused = kubectl("apply", "--server-side", "--field-manager=other", "-f", "-", stdin=other, code=1)
    assert 'conflict with "kubectl": .spec.replicas' in refused.stderr
    forced = ("apply", "--server-side", "--field-manager=other", "--force-conflicts", "-f", "-")
    kubectl(*forced, stdin=other)
    assert local.get(local.sdep("model")).body["spec"]["replicas"] == 2


def test_client_side_apply_updates_and_prunes(kubectl: Kubectl, local: Rest) -> None:
    labelled = seldon_deployment("model", metadata={"labels": {"a": "1", "b": "1"}})
    assert "created" in kubectl("apply", "-f", "-", stdin=labelled).stdout
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=labelled).stdout
    fewer = seldon_deployment("model", metadata={"labels": {"a": "1"}}, replicas=3)
    assert "configured" in kubectl("apply", "-f", "-", stdin=fewer).stdout
    read = local.get(local.sdep("model")).ok()
    assert read.metadata["labels"] == {"a": "1"}
    assert read.body["spec"]["replicas"] == 3


def test_client_side_appliers_can_go_over_to_the_server(kubectl: Kubectl, local: Rest) -> None:
    kubectl("apply", "-f", "-", stdin=seldon_deployment("model", replicas=1))
    kubectl("apply", "--server-side", "-f", "-", stdin=seldon_deployment("model", replicas=2))
    read = local.get(local.sdep("model")).ok()
    assert read.body["spec"]["replicas"] == 2
    noted = json.loads(read.metadata["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert noted["spec"]["replicas"] == 2
    assert "configured" in kubectl("apply", "-f", "-", stdin=seldon_deployment("model", replicas=3)).stdout


def test_built_in_kinds_are_applied_too(kubectl: Kubectl, local: Rest) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=deployment("d")).stdout
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=deployment("d")).stdout
    assert "configured" in kubectl("apply", "-f", "-", stdin=deployment("d", replicas=4)).stdout
    assert "diff" in kubectl("diff", "-f", "-", stdin=deployment("d", replicas=5), code=1).stdout
    assert local.get(local.path(APPS, "deployments", "d")).body["spec"]["replicas"] == 4


def test_a_misspelt_field_is_refused(kubectl: Kubectl) -> None:
    body = seldon_deployment("model", predictors=[{"name": "p", "graph": {"name": "c", "modelURI": "x"}}])
    refused = kubectl("create", "-f", "-", stdin=body, code=1)
    assert 'strict decoding error: unknown field "spec.predictors[0].graph.modelURI"' in refused.stderr


def test_a_dry_run_on_the_server_stores_nothing(kubectl: Kubectl, local: Rest) -> None:
    dry = kubectl("apply", "--dry-run=server", "-f", "-", stdin=seldon_deployment("model"))
    assert "created (server dry run)" in dry.stdout
    assert local.get(local.sdep("model")).code == 404


def test_patch_scale_label_and_edit_existing_objects(kubectl: Kubectl, local: Rest) -> None:
    local.post(local.sdep(), seldon_deployment("model")).ok()
    kubectl("patch", "sdep", "model", "--type=merge", "-p", '{"spec": {"protocol": "v2"}}')
    kubectl("scale", "sdep", "model", "--replicas=3")
    kubectl("label", "sdep", "model", "a=b")
    kubectl("annotate", "sdep", "model", "a=b")
    status = '{"status": {"state": "Available"}}'
    kubectl("patch", "sdep", "model", "--subresource=status", "--type=merge", "-p", status)
    operations = '[{"op": "remove", "path": "/spec/protocol"}]'
    kubectl("patch", "sdep", "model", "--type=json", "-p", operations)
    read = local.get(local.sdep("model")).ok().body
    assert (read["spec"]["replicas"], read["status"]["state"]) == (3, "Available")
    assert "protocol" not in read["spec"]
    assert read["metadata"]["labels"] == read["metadata"]["annotations"] == {"a": "b"}


def test_delete_waits_for_the_children_in_the_foreground(kubectl: Kubectl, local: Rest) -> None:
    owner = local.post(local.sdep(), seldon_deployment("model")).ok()
    local.post(local.path(APPS, "deployments"), deployment("child", metadata=owned_by(owner))).ok()
    assert "deleted" in kubectl("delete", "sdep", "model", "--cascade=foreground", "--timeout=60s").stdout
    assert local.get(local.sdep("model")).code == 404
    assert local.get(local.path(APPS, "deployments", "child")).code == 404


def test_delete_can_leave_the_children(kubectl: Kubectl, local: Rest) -> None:
    owner = local.post(local.sdep(), seldon_deployment("model")).ok()
    local.post(local.path(APPS, "deployments"), deployment("child", metadata=owned_by(owner))).ok()
    kubectl("delete", "sdep", "model", "--cascade=orphan", "--timeout=60s")
    assert local.get(local.path(APPS, "deployments", "child")).code == 200
    kubectl("delete", "sdep", "model", "--ignore-not-found")
    assert "not found" in kubectl("delete", "sdep", "model", code=1).stderr


def test_wait_sees_a_condition(kubectl: Kubectl, local: Rest, following: Callable[..., Any]) -> None:
    local.post(local.sdep(), seldon_deployment("model")).ok()
    waiting = following("wait", "--for=condition=Ready", "sdep/model", "--timeout=60s")
    time.sleep(0.3)
    condition = {"type": "Ready", "status": "True"}
    local.merge(local.sdep("model", "status"), {"status": {"conditions": [condition]}}).ok()
    assert "condition met" in waiting.communicate(timeout=90)[0]
    kubectl("wait", "--for=jsonpath={.status.conditions[0].status}=True", "sdep/model", "--timeout=60s")


def test_get_watch_prints_changes(local: Rest, following: Callable[..., Any]) -> None:
    local.post(local.sdep(), seldon_deployment("first")).ok()
    watching = following("get", "sdep", "-w", "--no-headers")
    assert watching.stdout.readline().split()[0] == "first"
    local.post(local.sdep(), seldon_deployment("second")).ok()
    assert watching.stdout.readline().split()[0] == "second"


def test_pages_are_fetched_to_the_end(kubectl: Kubectl, local: Rest, local_api: ApiServer) -> None:
    for number in range(7):
        local.post(local.sdep(), seldon_deployment(f"m{number}")).ok()
    names = kubectl("get", "sdep", "--chunk-size=3", "--no-headers").stdout.splitlines()
    assert [line.split()[0] for line in names] == [f"m{number}" for number in range(7)]
    assert local_api.requests.count(verb="list", resource="seldondeployments") == 3


def test_pods_are_shown_as_one_expects(kubectl: Kubectl, local: Rest) -> None:
    local.post(local.path(CORE, "pods"), pod("p", nodeName="node-1")).ok()
    state = {"name": "main", "ready": False, "restartCount": 4, "image": "", "imageID": ""}
    state["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}  # type: ignore[assignment]
    status = {"phase": "Running", "containerStatuses": [state], "podIP": "10.1.2.3"}
    local.merge(local.path(CORE, "pods", "p", "status"), {"status": status}).ok()
    header, row = kubectl("get", "pods", "-o", "wide").stdout.splitlines()
    assert header.split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    assert row.split()[:4] == ["p", "0/1", "CrashLoopBackOff", "4"]
    assert "node-1" in row
    assert "CrashLoopBackOff" in kubectl("describe", "pod", "p").stdout


def test_events_and_descriptions(kubectl: Kubectl, local: Rest) -> None:
    owner = local.post(local.sdep(), seldon_deployment("model")).ok()
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "model.1"},
        "type": "Warning",
        "reason": "InternalError",
        "message": "it broke",
        "involvedObject": {
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "name": "model",
            "namespace": "default",
            "uid": owner.metadata["uid"],
        },
        "lastTimestamp": "2026-01-05T00:00:00Z",
    }
    local.post(local.path(CORE, "events"), event).ok()
    assert "it broke" in kubectl("get", "events").stdout
    described = kubectl("describe", "sdep", "model").stdout
    assert "it broke" in described
    assert "SKLEARN_SERVER" in described


def test_logs_of_a_container(kubectl: Kubectl, local: Rest, local_api: ApiServer) -> None:
    class Logs:
        async def stream(self, namespace: str, pod: str, container: str, *, options: LogOptions) -> Any:
            for line in range(options.tail or 5):
                yield f"{container} {line} {options.previous}\n".encode()

    local_api.log_source = Logs()
    body = pod("p", nodeName="node")
    body["spec"]["containers"].append({"name": "side", "image": "i"})
    local.post(local.path(CORE, "pods"), body).ok()
    assert len(kubectl("logs", "p", "-c", "side").stdout.splitlines()) == 5
    assert kubectl("logs", "p", "-c", "side", "--tail=1", "-f").stdout == "side 0 False\n"
    assert "not found" in kubectl("logs", "p", "-c", "side", "-p", code=1).stderr


def test_access_reviews_are_answered(kubectl: Kubectl, local_api: ApiServer) -> None:
    assert kubectl("auth", "can-i", "create", "sdep").stdout.strip() == "yes"
    local_api.authorizer.deny.append(Deny(verb="create", resource="seldondeployments"))
    assert kubectl("auth", "can-i", "create", "sdep", code=1).stdout.strip() == "no"
    assert "seldondeployments" in kubectl("auth", "can-i", "--list").stdout
    assert "local-admin" in kubectl("auth", "whoami").stdout


def test_create_commands_that_speak_protobuf(kubectl: Kubectl, local: Rest) -> None:
    kubectl("create", "namespace", "made")
    kubectl("create", "secret", "generic", "s", "--from-literal=a=b")
    kubectl("create", "configmap", "c", "--from-literal=a=b")
    kubectl("create", "serviceaccount", "account")
    kubectl("create", "deployment", "d", "--image=image:1", "--port=9000", "--replicas=0", "--", "sleep", "1")
    kubectl("create", "service", "clusterip", "v", "--tcp=80:9000")
    assert local.get(f"{CORE}/namespaces/made").code == 200
    assert local.get(local.path(CORE, "secrets", "s")).body["data"] == {"a": "Yg=="}
    spec = local.get(local.path(APPS, "deployments", "d")).ok().body["spec"]
    assert (spec["replicas"], spec["selector"]) == (0, {"matchLabels": {"app": "d"}})
    container = spec["template"]["spec"]["containers"][0]
    assert (container["command"], container["ports"][0]["containerPort"]) == (["sleep", "1"], 9000)
    service = local.get(local.path(CORE, "services", "v")).ok().body["spec"]
    assert service["ports"][0]["targetPort"] == 9000
    assert service["clusterIP"].startswith("10.")


def test_resources_are_discovered_and_explained(kubectl: Kubectl) -> None:
    listed = kubectl("api-resources", "--no-headers").stdout
    assert "sdep" in listed
    assert "replicasets" in listed
    assert "modelUri" in kubectl("explain", "sdep.spec.predictors.graph").stdout
    assert "v1.34" in kubectl("version").stdout


def test_rollouts_of_deployments_are_followed(kubectl: Kubectl, local: Rest) -> None:
    local.post(local.path(APPS, "deployments"), deployment("d")).ok()
    condition = {"type": "Available", "status": "True"}
    counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
    status = {"status": counts | {"observedGeneration": 1, "conditions": [condition]}}
    local.merge(local.path(APPS, "deployments", "d", "status"), status).ok()
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/d", "--timeout=60s").stdout
    kubectl("set", "image", "deployment/d", "main=image:2")
    kubectl("rollout", "restart", "deployment/d")
    template = local.get(local.path(APPS, "deployments", "d")).body["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "image:2"
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
