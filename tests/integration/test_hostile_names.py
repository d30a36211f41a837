"""Names and namespaces from the values of a template lead to no other namespace, object or condition."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from airflow_provider_seldon.core.identity.object_name import checked_path
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.endpoint import prediction_url, url_below
from airflow_provider_seldon.exceptions import (
    ConnectionConfigError,
    DeploymentNotFoundError,
    InvalidModelServerError,
    NotFoundError,
    SeldonError,
)
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.kube.watch.fresh_read import Snapshot, read_snapshot
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.predict import SeldonPredictOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from airflow_provider_seldon.sensors.deployment import SeldonDeploymentSensor

HOSTILE = [
    "../../../namespaces/other/seldondeployments/iris",
    "..",
    "iris/status",
    "iris%2f..",
    "iris?dryRun=All",
    "iris#x",
    "iris,app!=x",
    "iris\n",
    "Iris",
    "",
    "ïris",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize(
    "make",
    [
        lambda name: SeldonDeleteModelOperator(task_id="t", name=name),
        lambda name: SeldonPredictOperator(task_id="t", name=name, data=[[1]]),
        lambda name: SeldonScaleModelOperator(task_id="t", name=name, replicas=0),
        lambda name: SeldonRollbackOperator(task_id="t", name=name),
        lambda name: SeldonDeploymentSensor(task_id="t", name=name, timeout=5),
    ],
    ids=["delete", "predict", "scale", "rollback", "sensor"],
)
def test_an_invalid_name_is_refused_before_a_request_is_sent(
    hook: SeldonHook, local_seldon: Any, make_context: Any, make: Callable[[str], Any], name: str
) -> None:
    local_seldon.requests.clear()
    with pytest.raises(InvalidModelServerError):
        make(name).execute(make_context())
    assert [one.path for one in local_seldon.requests.entries() if "seldondeployments" in one.path] == []


async def _look(hook: SeldonHook) -> Snapshot:
    session = ApiSession(hook.access)
    try:
        return await read_snapshot(session, hook.namespace, "iris")
    finally:
        await session.close()


@pytest.mark.parametrize("namespace", ["../kube-system", "a/b", "A", "x?y", "kube-system/../x", "a.b"])
def test_a_namespace_that_is_none_is_refused(hook: SeldonHook, namespace: str) -> None:
    other = SeldonHook(namespace=namespace)
    for use in (
        lambda: other.client.get("iris"),
        lambda: other.client.delete("iris"),
        lambda: other.client.find(),
        lambda: other.client.secrets.exists("x"),
        lambda: other.client.pods.of_deployment("iris"),
        lambda: other.wait_for("iris", deadline=time.time() + 5),
        lambda: asyncio.run(_look(other)),
    ):
        with pytest.raises((ConnectionConfigError, InvalidModelServerError), match="namespace"):
            use()


PATHS: list[Callable[[str], str]] = [
    lambda name: paths.seldon_deployments("default", name),
    lambda name: paths.pod_log("default", name),
    lambda name: paths.secrets("default", name),
    lambda name: paths.seldon_deployments(name, "iris"),
    paths.deployments,
    paths.pods,
    paths.events,
]


@settings(max_examples=300, deadline=None)
@example(name="..")
@example(name="a/b")
@given(name=st.one_of(st.text(max_size=12), st.text("ab.-/%?#2eE\n ", max_size=12)))
def test_whatever_is_given_as_a_name_a_path_has_the_same_number_of_parts(name: str) -> None:
    for make in PATHS:
        try:
            made = make(name)
        except SeldonError:
            continue
        assert made.count("/") == make("x").count("/")
        assert not {"", ".", ".."} & set(made.split("/")[1:])
        assert made.isascii()
        assert not set(made) & set("?#%\\ \n")


@settings(max_examples=300, deadline=None)
@given(name=st.text("ab.-/%?#2eE\n @:", max_size=12))
def test_whatever_is_given_a_request_stays_below_its_deployment(name: str) -> None:
    base = "https://models.example.com"
    for make in (
        lambda: prediction_url(base, "prod", name),
        lambda: prediction_url(base, name, "iris"),
        lambda: prediction_url(base, "prod", "iris", protocol="v2", node_name=name),
        lambda: url_below(base, "prod", "iris", name),
    ):
        try:
            url = make()
        except InvalidRequestError:
            continue
        path = url.removeprefix(f"{base}/seldon/")
        assert url.startswith(f"{base}/seldon/")
        assert not {".", ".."} & set(path.partition("?")[0].split("/"))


@pytest.mark.parametrize(
    "path", ["../../other/iris", "/%2e%2e/other", "/a/%252e%252e/b", "a\\..\\b", "/a\nb", "/é", "a b", "/./x"]
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequestError, match="path"):
        checked_path(path)


@pytest.mark.parametrize("path", ["/api/v1.0/metadata", "api/v1.0/feedback?x=1", "/v1/models/x:predict", "/"])
def test_a_path_below_the_deployment_is_taken_as_it_is(path: str) -> None:
    assert checked_path(path) == f"/{path.lstrip('/')}"


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(name=st.text("ab.-/%?#", max_size=8))
def test_a_server_sees_only_paths_of_the_namespace(hook: SeldonHook, local_seldon: Any, name: str) -> None:
    local_seldon.requests.clear()
    with contextlib.suppress(InvalidModelServerError, DeploymentNotFoundError, NotFoundError):
        hook.client.get(name)
    for one in local_seldon.requests.entries():
        assert f"/namespaces/{hook.namespace}/seldondeployments/" in one.path
