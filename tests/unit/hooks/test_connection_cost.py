"""What a worker pays for a hook: no client of Kubernetes before one is used, and then one, not two."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseHook

from airflow_provider_seldon.exceptions import ConnectionConfigError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from tests.airflow_version import AIRFLOW_3
from tests.api_servers import kube_config
from tests.python_process import ask_python

PROBE = """
import sys
sys.path.insert(0, {root!r})
from tests.python_process import answer
import airflow.providers.common.compat.sdk
{statements}
clients = ("aiohttp", "kubernetes", "kubernetes_asyncio", "airflow.providers.cncf.kubernetes.hooks")
answer([name for name in clients if name in sys.modules])
"""


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> str:
    extra = {"kube_config": kube_config("http://127.0.0.1:1", token="token-of-a-user"), "namespace": "mine"}
    monkeypatch.setenv("AIRFLOW_CONN_CHEAP", json.dumps({"conn_type": "seldon", "extra": extra}))
    return "cheap"


def imported_by(statements: str) -> Any:
    """Return the clients that a process of its own has imported after some statements."""
    return ask_python("-c", PROBE.format(root=os.getcwd(), statements=statements), env=dict(os.environ))


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2.11 imports both clients itself")
def test_importing_the_hook_imports_no_kubernetes_client() -> None:
    assert imported_by("import airflow_provider_seldon.hooks.seldon") == []


@pytest.mark.skipif(not AIRFLOW_3, reason="Airflow 2.11 imports both clients itself")
def test_connecting_imports_one_kubernetes_client(connection: str) -> None:
    connect = (
        "from airflow_provider_seldon.hooks.seldon import SeldonHook\n"
        f"SeldonHook({connection!r}).client, SeldonHook({connection!r}).access.resolve()"
    )
    assert imported_by(connect) == ["kubernetes"]


def test_the_clients_of_a_kubernetes_hook_are_there(connection: str) -> None:
    hook = SeldonHook(connection)
    for client in (
        hook.core_v1_client,
        hook.apps_v1_client,
        hook.batch_v1_client,
        hook.custom_object_client,
    ):
        assert client.api_client is hook.api_client
    assert hook.api_client.configuration.host == "http://127.0.0.1:1"
    assert (hook.is_in_cluster, hook.get_namespace()) == (False, "mine")
    assert isinstance(hook, BaseHook)


def test_a_kubernetes_hook_of_the_same_cluster_is_available(connection: str) -> None:
    from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook

    hook = SeldonHook(connection, namespace="theirs").kubernetes_hook
    assert isinstance(hook, KubernetesHook)
    assert hook.core_v1_client.api_client.configuration.host == "http://127.0.0.1:1"
    assert "Bearer token-of-a-user" in hook.core_v1_client.api_client.configuration.api_key.values()
    assert (hook.get_namespace(), hook.is_in_cluster) == ("theirs", False)
    assert hook.get_xcom_sidecar_container_image() is None


def test_an_option_that_is_none_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="cluster_contxt"):
        SeldonHook("cheap", cluster_contxt="production")  # type: ignore[call-arg]


def test_options_of_the_constructor_win_over_the_connection(
    connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"disable_tcp_keepalive": True, "namespace": "mine"}
    monkeypatch.setenv("AIRFLOW_CONN_BARE", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    config = json.loads(kube_config("https://127.0.0.1:2"))
    hook = SeldonHook("bare", config_dict=config, disable_verify_ssl=True, disable_tcp_keepalive=False)
    configuration = hook.api_client.configuration
    assert (configuration.host, configuration.verify_ssl) == ("https://127.0.0.1:2", False)
    assert (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1) in configuration.socket_options
    with pytest.raises(ConnectionConfigError, match="exclude each other"):
        _ = SeldonHook(connection, in_cluster=True).cluster


def test_keepalive_is_as_airflows_configuration_says(
    connection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__KUBERNETES_EXECUTOR__TCP_KEEP_IDLE", "77")
    options = SeldonHook(connection).api_client.configuration.socket_options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 77) in options
    assert (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30) in options
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in options
    off = SeldonHook(connection, disable_tcp_keepalive=True).api_client.configuration.socket_options
    assert all(option[1] != socket.SO_KEEPALIVE for option in off or ())
