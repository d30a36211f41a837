"""What the button "Test" says of a connection, and that it says what to do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.local.apiserver.access.authorization import Deny
from tests.api_servers import ApiServers, api_servers, kube_config


@pytest.fixture
def servers() -> Iterator[ApiServers]:
    with api_servers() as found:
        yield found


@pytest.fixture
def verdict(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[bool, str]]:
    """Test a connection that holds a kubeconfig."""

    def test(server: str, *, token: str = "") -> tuple[bool, str]:
        extra = {"kube_config": kube_config(server, token=token)}
        monkeypatch.setenv("AIRFLOW_CONN_TESTED", json.dumps({"conn_type": "seldon", "extra": extra}))
        return SeldonHook("tested").test_connection()

    return test


def test_all_is_well(servers: ApiServers, verdict: Any) -> None:
    assert verdict(servers.start()) == (
        True,
        "Seldon Core answers in namespace models, and the account has all necessary permissions.",
    )


def test_the_right_that_only_golden_rows_need_is_reported(servers: ApiServers, verdict: Any) -> None:
    works, message = verdict(servers.start(deny=[Deny(resource="services/proxy")]))
    assert works
    assert message.endswith("Only a canary's GoldenSet needs one more: create services/proxy.")


@pytest.mark.parametrize(
    ("server", "cause"),
    [("http://127.0.0.1:1", "Connection refused"), ("http://seldon.invalid", "seldon.invalid")],
)
def test_a_host_that_cannot_be_reached(verdict: Any, server: str, cause: str) -> None:
    works, message = verdict(server)
    assert not works
    assert message.startswith(f"The API server {server} (kube_config) cannot be reached: ")
    assert cause in message
    assert "Check the address, the certificate authority and the network" in message


def test_an_error_of_tls_is_an_error_of_the_connection(servers: ApiServers, verdict: Any) -> None:
    works, message = verdict(servers.start().replace("http:", "https:"))
    assert not works
    assert "cannot be reached: SSLError " in message


def test_something_else_answers_there(servers: ApiServers, verdict: Any) -> None:
    works, message = verdict(f"{servers.start()}/elsewhere")
    assert not works
    assert "is not a Kubernetes API" in message


def test_a_cluster_without_seldon_core(servers: ApiServers, verdict: Any) -> None:
    url = servers.start(seldon=False)
    works, message = verdict(url)
    assert not works
    assert f"The cluster at {url} answers, but does not serve SeldonDeployments" in message
    assert "Install Seldon Core there" in message


def test_missing_rights_are_named(servers: ApiServers, verdict: Any) -> None:
    deny = [Deny(verb="patch", resource="seldondeployments"), Deny(resource="pods/log")]
    works, message = verdict(servers.start(deny=deny))
    assert not works
    assert "in namespace models: patch seldondeployments.machinelearning.seldon.io, get pods/log." in message
    assert "Bind a role that grants them." in message


def test_a_wrong_token_and_none(servers: ApiServers, verdict: Any) -> None:
    url = servers.start(tokens=["right"])
    assert verdict(url, token="right")[0] is True
    works, message = verdict(url, token="wrong")
    assert not works
    assert message.endswith("did not accept the credentials. Renew the token or the certificate.")
    assert "wrong" not in message
    works, message = verdict(url)
    assert not works
    assert message.endswith("received no credentials. Add a user with a token or a certificate.")
