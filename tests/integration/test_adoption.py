"""A deployment that another client created is taken over so that it can be given back, or not at all."""

from __future__ import annotations

import json
import random
import string
import time
from typing import Any

import pytest

from airflow_provider_seldon.core.identity.annotations import LABEL_MANAGED_BY, is_reserved
from airflow_provider_seldon.core.identity.identity import is_managed
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.exceptions import NotManagedError, RolloutTimeoutError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.interference import Interference
from tests.integration.test_deploy_operator import MONDAY, TUESDAY, deploy
from tests.integration.test_rollback import roll_back, served, uri

THEIRS = "s3://theirs/1"
BAD: dict[str, Any] = {
    "name": "iris",
    "adopt": True,
    "model_uri": "s3://models/iris/bad",
    "model_server": {"labels": {"stage": "ours"}, **behaving("never-ready")},
    "timeout": patience(3),
}


def somebody_elses(hook: SeldonHook, *, variables: list[Any] | None = None) -> SeldonDeployment:
    predictor: dict[str, Any] = {
        "name": "main",
        "replicas": 2,
        "annotations": {"seldon.io/engine-log-level": "DEBUG"},
        "graph": {"name": "m", "implementation": "SKLEARN_SERVER", "modelUri": THEIRS},
    }
    if variables:
        predictor["componentSpecs"] = [{"spec": {"containers": [{"name": "m", "env": variables}]}}]
    manifest = {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {
            "name": "iris",
            "labels": {"stage": "theirs", "team": "x", LABEL_MANAGED_BY: "Helm"},
            "annotations": {"note": "theirs"},
        },
        "spec": {"predictors": [predictor]},
    }
    client = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="helm")
    stored = client.apply(SeldonDeployment.from_manifest(manifest))
    hook.wait_for("iris", deadline=time.time() + patience(30))
    return stored


@pytest.fixture(autouse=True)
def _nothing_is_left(hook: SeldonHook) -> Any:
    yield
    hook.client.delete("iris", propagation="Background")
    hook.client.wait_until_deleted("iris", timeout=patience(30))


def theirs_of(deployment: SeldonDeployment) -> tuple[Any, ...]:
    """What the owner wrote, of a deployment as it is now."""
    annotations = {key: text for key, text in deployment.annotations.items() if not is_reserved(key)}
    predictors = deployment.to_manifest()["spec"]["predictors"]
    return predictors, deployment.labels, annotations


def template(hook: SeldonHook) -> Any:
    """The template of the owner's pods."""
    children = {one["metadata"]["name"]: one for one in hook.client.children("iris")}
    return children["iris-main-0-m"]["spec"]["template"]


def test_an_adoption_that_fails_gives_back_what_was_there(hook: SeldonHook) -> None:
    before = somebody_elses(hook)
    pods_before = template(hook)
    with pytest.raises(RolloutTimeoutError, match="which is ready"):
        deploy(**BAD)
    after = hook.client.get("iris")
    assert theirs_of(after) == theirs_of(before)
    assert "theirs/1" in served(hook, "iris")
    assert template(hook) == pods_before


def test_a_second_try_of_an_adoption_still_knows_what_was_there(
    hook: SeldonHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = somebody_elses(hook)
    for k in (6, 7):  # it dies before it writes, and before it gives back

        class Killed(BaseException):
            pass

        def die(death: type[BaseException] = Killed) -> None:
            raise death

        with Interference(monkeypatch).before(k, die), pytest.raises((Killed, RolloutTimeoutError)):
            deploy(**BAD)
        with pytest.raises(RolloutTimeoutError, match="which is ready"):
            deploy({"try_number": 2}, **BAD)
        assert theirs_of(hook.client.get("iris")) == theirs_of(before)


def test_the_version_before_an_adoption_can_be_restored_later(hook: SeldonHook) -> None:
    somebody_elses(hook)
    deploy({"run_id": "monday", "logical_date": MONDAY}, name="iris", adopt=True)
    with pytest.raises(RolloutTimeoutError, match="which is ready"):
        deploy({"run_id": "tuesday", "logical_date": TUESDAY}, **BAD)
    assert uri(hook, "iris") == "s3://models/iris/1"
    back = roll_back("iris")
    assert (back["model_uri"], back["state"]) == (THEIRS, "Available")
    assert is_managed(hook.client.get("iris"))


SECRET = [{"name": "DB_PASSWORD", "value": "hunter22-hunter22"}]
LARGE = [{"name": "BLOB", "value": "".join(random.Random(1).choices(string.ascii_letters, k=110_000))}]


@pytest.mark.parametrize("variables", [SECRET, LARGE], ids=["credentials", "large"])
def test_what_could_not_be_given_back_is_only_taken_over_irreversibly(
    hook: SeldonHook, variables: list[Any]
) -> None:
    before = somebody_elses(hook, variables=variables)
    with pytest.raises(NotManagedError, match="adopt='irreversibly'") as refused:
        deploy(name="iris", adopt=True)
    assert "hunter22" not in str(refused.value)
    stored = hook.client.get("iris")
    assert theirs_of(stored) == theirs_of(before)
    assert not [key for key in stored.annotations if is_reserved(key)]
    assert deploy(name="iris", adopt="irreversibly")["state"] == "Available"
    assert "hunter22" not in json.dumps(hook.client.get("iris").annotations)
