"""Prepackaged servers as real MLServer processes."""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import ENV_MLSERVER_PYTHON
from tests.integration.local.cluster_client import Cluster, Manifest, RefusedError, seldon_deployment, state
from tests.integration.local.process_cluster import waiting_of

pytestmark = pytest.mark.mlserver

FLOWER = [5.1, 3.5, 1.4, 0.2]
OTHER = [6.7, 3.0, 5.2, 2.3]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folders with a good model, with a model in a file that nobody reads, and with none."""
    import joblib
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    folder = tmp_path_factory.mktemp("models")
    features, species = load_iris(return_X_y=True)
    model = LogisticRegression(max_iter=1000).fit(features, species)
    for name, file in (("good", "model.joblib"), ("other", "model.pickle"), ("broken", "model.joblib")):
        (folder / name).mkdir()
        joblib.dump(model, folder / name / file)
    (folder / "broken" / "model.joblib").write_bytes(b"not a model")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(scope="module")
def boosted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an XGBoost model, made by the Python that serves it."""
    folder = tmp_path_factory.mktemp("boosted")
    script = (
        "import sys, xgboost\n"
        "from sklearn.datasets import load_iris\n"
        "features, species = load_iris(return_X_y=True)\n"
        "xgboost.XGBClassifier(n_estimators=5).fit(features, species).save_model(sys.argv[1])\n"
    )
    python = os.environ[ENV_MLSERVER_PYTHON]
    subprocess.run([python, "-c", script, str(folder / "model.json")], check=True)
    return folder


@pytest.fixture
def cluster(local_seldon_processes: LocalSeldon) -> Iterator[Cluster]:
    """The session's cluster; what a test deploys is gone afterwards."""
    local = local_seldon_processes
    cluster = Cluster(api_url=local.api_url, gateway_url=local.gateway_url)
    yield cluster
    for one in cluster.list("seldondeployments"):
        cluster.delete(one["metadata"]["name"], propagation="Foreground")
    cluster.wait_for(
        lambda: [*cluster.list("seldondeployments"), *cluster.list("pods")], lambda seen: not seen
    )


def with_method(manifest: Manifest, method: str) -> Manifest:
    graph = manifest["spec"]["predictors"][0]["graph"]
    graph["parameters"] = [{"name": "method", "value": method, "type": "STRING"}]
    return manifest


def test_scikit_learn_model_answers_in_seldons_protocol(cluster: Cluster, models: Path) -> None:
    cluster.create(seldon_deployment("iris", uri=(models / "good").as_uri()))
    cluster.wait_available("iris", timeout=60)
    answer = cluster.predict("iris", {"data": {"ndarray": [FLOWER, OTHER]}})
    assert answer["data"]["names"] == ["t:0", "t:1", "t:2"]
    rows = answer["data"]["ndarray"]
    assert [row.index(max(row)) for row in rows] == [0, 2]
    assert sum(rows[0]) == pytest.approx(1.0)
    assert answer["meta"]["requestPath"] == {"classifier": "seldonio/sklearnserver:1.17.1"}
    tensor = cluster.predict("iris", {"data": {"tensor": {"shape": [1, 4], "values": FLOWER}}})
    assert tensor["data"]["tensor"]["shape"] == [1, 3]
    with pytest.raises(RefusedError) as refused:
        cluster.predict("iris", {"data": {"ndarray": [[1, 2]]}})
    assert "expecting 4 features" in json.loads(refused.value.body)["status"]["info"]


def test_method_parameter_chooses_the_output(cluster: Cluster, models: Path) -> None:
    cluster.create(with_method(seldon_deployment("iris", uri=str(models / "good")), "predict"))
    cluster.wait_available("iris", timeout=60)
    answer = cluster.predict("iris", {"data": {"ndarray": [FLOWER, OTHER]}})
    assert answer["data"]["ndarray"] == [0, 2]


def test_open_inference_protocol_goes_straight_to_mlserver(cluster: Cluster, models: Path) -> None:
    manifest = seldon_deployment("iris", uri=str(models / "other"))
    manifest["spec"]["protocol"] = "v2"
    cluster.create(manifest)
    cluster.wait_available("iris", timeout=60)
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": [*FLOWER, *OTHER]}
    answer = cluster.predict("iris", {"inputs": [tensor]}, path="/v2/models/classifier/infer")
    assert answer["model_name"] == "classifier"
    assert answer["outputs"][0]["data"] == [0, 2]
    ready = f"{cluster.gateway_url}/seldon/default/iris/v2/models/classifier/ready"
    with urllib.request.urlopen(ready, timeout=10) as response:
        assert response.status == 200


@pytest.mark.parametrize("protocol", ["seldon", "v2"])
def test_xgboost_model_answers(cluster: Cluster, boosted: Path, protocol: str) -> None:
    manifest = seldon_deployment("trees", uri=str(boosted))
    manifest["spec"]["protocol"] = protocol
    manifest["spec"]["predictors"][0]["graph"]["implementation"] = "XGBOOST_SERVER"
    cluster.create(manifest)
    cluster.wait_available("trees", timeout=60)
    if protocol == "seldon":
        answer = cluster.predict("trees", {"data": {"ndarray": [FLOWER, OTHER]}})
        assert [row.index(max(row)) for row in answer["data"]["ndarray"]] == [0, 2]
        return
    tensor = {"name": "x", "shape": [2, 4], "datatype": "FP32", "data": [*FLOWER, *OTHER]}
    answer = cluster.predict("trees", {"inputs": [tensor]}, path="/v2/models/classifier/infer")
    assert answer["outputs"][0]["shape"][0] == 2


@pytest.mark.parametrize(("folder", "text"), [("empty", "model.joblib"), ("broken", "Traceback")])
def test_bad_model_crashes_the_server_while_the_old_version_serves(
    cluster: Cluster, models: Path, folder: str, text: str
) -> None:
    cluster.create(seldon_deployment("iris", uri=str(models / "good")))
    cluster.wait_available("iris", timeout=60)
    old = cluster.list("pods")[0]["metadata"]["name"]
    cluster.set_uri("iris", str(models / folder))
    new = cluster.wait_for(
        lambda: [pod for pod in cluster.list("pods") if pod["metadata"]["name"] != old],
        lambda seen: seen and _restarts(seen[0]) >= 1,
        timeout=60,
    )[0]["metadata"]["name"]
    assert text in cluster.log(new, "classifier", previous=True)
    assert state(cluster.get("iris")) == "Creating"
    assert cluster.predict("iris", {"data": {"ndarray": [FLOWER]}})["data"]["ndarray"]


def test_missing_folder_fails_the_initializer(cluster: Cluster, models: Path) -> None:
    cluster.create(seldon_deployment("iris", uri=(models / "nowhere").as_uri()))
    seen = cluster.wait_for(
        lambda: waiting_of(cluster, "classifier-model-initializer"),
        lambda one: one.get("reason") == "CrashLoopBackOff",
    )
    assert seen["last"]["terminated"]["exitCode"] == 3


def _restarts(pod: Manifest) -> int:
    statuses = pod.get("status", {}).get("containerStatuses", [])
    return sum(one["restartCount"] for one in statuses if one["name"] == "classifier")


def test_a_users_probe_counts_besides_the_servers_own(cluster: Cluster, models: Path, tmp_path: Path) -> None:
    manifest = seldon_deployment("probed", uri=(models / "good").as_uri())
    probe = {"exec": {"command": ["test", "-e", str(tmp_path / "go")]}, "periodSeconds": 1}
    container = {"name": "classifier", "readinessProbe": probe}
    manifest["spec"]["predictors"][0]["componentSpecs"] = [{"spec": {"containers": [container]}}]
    cluster.create(manifest)
    (pod,) = cluster.wait_for(
        lambda: [one for one in cluster.list("pods") if one["status"].get("phase") == "Running"], len
    )
    name = pod["metadata"]["name"]
    cluster.wait_for(lambda: cluster.log(name, "classifier"), lambda log: "Loaded model" in log, timeout=60)
    time.sleep(2)  # in which it would become ready without the probe
    assert state(cluster.get("probed")) == "Creating"
    (tmp_path / "go").touch()
    cluster.wait_available("probed", timeout=60)
