"""The operator's hot loop: without a number of replicas it updates a child for ever."""

from __future__ import annotations

import time

import pytest

from tests.integration.local.cluster_client import Cluster, Manifest, RefusedError, seldon_deployment, state

NAME = "iris-default-0-classifier"
REVISION = "deployment.kubernetes.io/revision"


def child(cluster: Cluster, name: str = NAME) -> Manifest:
    return cluster.get(name, "deployments")


def generation(cluster: Cluster, name: str = NAME) -> int:
    return int(child(cluster, name)["metadata"]["generation"])


def is_still(cluster: Cluster, name: str = NAME) -> bool:
    """Whether a child's generation does not move for some periods of the loop."""
    before = generation(cluster, name)
    time.sleep(0.6)
    return generation(cluster, name) == before


def wait_looping(cluster: Cluster, name: str = NAME) -> None:
    start = generation(cluster, name)
    cluster.wait_for(lambda: generation(cluster, name), lambda now: now >= start + 3)


def wait_still(cluster: Cluster, name: str = NAME) -> None:
    cluster.wait_for(lambda: is_still(cluster, name), bool)


def test_first_version_without_a_number_is_still_and_has_one_generation(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    assert is_still(cluster)
    one = child(cluster)
    assert one["metadata"]["generation"] == 1  # the revision is annotated through the status
    assert one["metadata"]["annotations"][REVISION] == "1"


def test_update_without_a_number_is_repeated_for_ever_at_a_bounded_rate(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris"))
    cluster.wait_available("iris")
    cluster.set_uri("iris", "gs://models/two")
    wait_looping(cluster)
    started = time.monotonic()
    with cluster.recorded("deployments") as seen:
        wait_looping(cluster)
        cluster.wait_available("iris")
        wait_looping(cluster)
    elapsed = time.monotonic() - started
    mine = [one for one in seen if one["metadata"]["name"] == NAME]
    templates = {str(one["spec"]["template"]) for one in mine}
    assert len(templates) == 1
    assert {one["spec"]["replicas"] for one in mine} == {1}
    assert any(REVISION not in one["metadata"]["annotations"] for one in mine)
    assert any(one["status"].get("observedGeneration", 0) < one["metadata"]["generation"] for one in mine)
    assert mine[-1]["metadata"]["generation"] - mine[0]["metadata"]["generation"] <= 6 * elapsed + 2
    assert state(cluster.get("iris")) == "Available"


@pytest.mark.parametrize("where", ["component", "predictor", "spec"])
def test_number_ends_the_loop_at_once(cluster: Cluster, where: str) -> None:
    cluster.create(seldon_deployment("iris", componentSpecs=[{"spec": {"containers": []}}]))
    cluster.wait_available("iris")
    cluster.set_uri("iris", "gs://models/two")
    wait_looping(cluster)

    def give(spec: Manifest) -> None:
        predictor = spec["predictors"][0]
        owner = {"component": predictor["componentSpecs"][0], "predictor": predictor, "spec": spec}[where]
        owner["replicas"] = 1

    cluster.update("iris", give)
    wait_still(cluster)
    assert REVISION in child(cluster)["metadata"]["annotations"]


def test_explainer_without_a_number_of_its_own_loops_and_the_predictors_number_does_not_help(
    cluster: Cluster,
) -> None:
    explainer = {"type": "AnchorTabular", "modelUri": "gs://explainers/one"}
    cluster.create(seldon_deployment("iris", replicas=1, explainer=explainer))
    cluster.wait_available("iris")

    def change(spec: Manifest) -> None:
        spec["predictors"][0]["explainer"]["modelUri"] = "gs://explainers/two"

    cluster.update("iris", change)
    wait_looping(cluster, "iris-default-explainer")
    assert is_still(cluster)

    def give(spec: Manifest) -> None:
        spec["predictors"][0]["explainer"]["replicas"] = 1

    cluster.update("iris", give)
    wait_still(cluster, "iris-default-explainer")


def test_child_under_an_autoscaler_does_not_loop(cluster: Cluster) -> None:
    component = {"hpaSpec": {"maxReplicas": 3, "minReplicas": 1}, "spec": {"containers": []}}
    cluster.create(seldon_deployment("iris", componentSpecs=[component]))
    cluster.wait_available("iris")
    cluster.set_uri("iris", "gs://models/two")
    cluster.wait_available("iris")
    assert is_still(cluster)
    assert generation(cluster) == 2


def test_without_a_number_the_child_keeps_the_one_it_has_zero_included(cluster: Cluster) -> None:
    cluster.create(seldon_deployment("iris", replicas=2))
    cluster.wait_available("iris")

    def stop(spec: Manifest) -> None:
        spec["predictors"][0]["replicas"] = 0

    cluster.update("iris", stop)
    cluster.wait_for(lambda: child(cluster)["spec"]["replicas"], lambda number: number == 0)

    def forget(spec: Manifest) -> None:
        del spec["predictors"][0]["replicas"]

    cluster.update("iris", forget)
    wait_looping(cluster)
    assert child(cluster)["spec"]["replicas"] == 0
    assert cluster.list("pods") == []


def test_scale_subresource_works_where_the_number_is_the_specifications_own(cluster: Cluster) -> None:
    manifest = seldon_deployment("iris")
    manifest["spec"]["replicas"] = 1
    cluster.create(manifest)
    cluster.wait_available("iris")
    path = cluster.path("seldondeployments", "iris")
    for number in (3, 0, 2):
        scale(cluster, path, number)
        cluster.wait_for(lambda: child(cluster)["spec"]["replicas"], lambda now, wanted=number: now == wanted)
    wait_still(cluster)


def test_scale_subresource_has_no_effect_with_a_predictors_number(cluster: Cluster) -> None:
    manifest = seldon_deployment("iris", replicas=1)
    manifest["spec"]["replicas"] = 1
    cluster.create(manifest)
    cluster.wait_available("iris")
    scale(cluster, cluster.path("seldondeployments", "iris"), 3)
    assert is_still(cluster)
    assert child(cluster)["spec"]["replicas"] == 1


def scale(cluster: Cluster, path: str, number: int) -> None:
    for _ in range(20):
        found = cluster.call("GET", f"{path}/scale")
        found["spec"]["replicas"] = number
        try:
            cluster.call("PUT", f"{path}/scale", found)
        except RefusedError as error:
            if error.code != 409:
                raise
        else:
            return
    raise AssertionError("20 conflicts in a row")
