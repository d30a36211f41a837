"""Every shape of connection resolves to the cluster, context and namespace that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import Configuration

from airflow_provider_seldon.exceptions import ConnectionConfigError
from airflow_provider_seldon.kube.access import configuration as module
from airflow_provider_seldon.kube.access.configuration import ClusterSettings, load


def kube_config(**contexts: str | None) -> dict[str, Any]:
    """A kubeconfig with one cluster, user and context per name; the value is the context's namespace."""
    names = list(contexts)
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": names[0],
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.test:6443"}} for name in names],
        "users": [{"name": name, "user": {"token": f"token-of-{name}"}} for name in names],
        "contexts": [
            {
                "name": name,
                "context": {"cluster": name, "user": name} | ({"namespace": ns} if ns else {}),
            }
            for name, ns in contexts.items()
        ],
    }


@pytest.fixture
def config_file(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(kube_config(staging="models", production=None)))
    return str(path)


@pytest.fixture
def in_a_pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Kubernetes gives to every pod: two variables and three files."""
    from kubernetes.config import incluster_config

    for name, content in {
        "token": "pod-token",
        "ca.crt": "certificate",
        "namespace": "pod-namespace",
    }.items():
        (tmp_path / name).write_text(content)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
    monkeypatch.setattr(module, "SERVICE_ACCOUNT_NAMESPACE", tmp_path / "namespace")


def token(configuration: Configuration) -> str:
    return str(configuration.get_api_key_with_prefix("BearerToken"))


def test_a_path_gives_its_current_context(config_file: str) -> None:
    cluster = load(ClusterSettings(kube_config_path=config_file))
    assert cluster.configuration.host == "https://staging.test:6443"
    assert token(cluster.configuration) == "Bearer token-of-staging"
    assert (cluster.namespace, cluster.in_cluster) == ("models", False)


def test_a_named_context_wins_over_the_current_one(config_file: str) -> None:
    cluster = load(ClusterSettings(kube_config_path=config_file, context="production"))
    assert cluster.configuration.host == "https://production.test:6443"
    assert cluster.namespace == "default"


@pytest.mark.parametrize("form", [dict, json.dumps, yaml.safe_dump])
def test_a_kube_config_may_be_in_the_connection_itself(form: Any) -> None:
    cluster = load(ClusterSettings(kube_config=form(kube_config(inline="a"))))
    assert (cluster.configuration.host, cluster.namespace) == ("https://inline.test:6443", "a")


def test_the_connections_namespace_wins(config_file: str) -> None:
    assert load(ClusterSettings(kube_config_path=config_file, namespace="mine")).namespace == "mine"


@pytest.mark.usefixtures("in_a_pod")
def test_nothing_named_in_a_pod_is_the_pods_own_account() -> None:
    cluster = load(ClusterSettings())
    assert cluster.configuration.host == "https://10.0.0.1:443"
    assert token(cluster.configuration) == "bearer pod-token"
    assert (cluster.namespace, cluster.in_cluster) == ("pod-namespace", True)


@pytest.mark.usefixtures("in_a_pod")
def test_what_is_named_wins_even_in_a_pod(config_file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The seed took the pod's own cluster whatever context was named, and deployed to the wrong one."""
    from kubernetes.config import kube_config as loader

    monkeypatch.setattr(loader, "KUBE_CONFIG_DEFAULT_LOCATION", config_file)
    by_path = load(ClusterSettings(kube_config_path=config_file))
    by_context = load(ClusterSettings(context="production"))
    assert by_path.configuration.host == "https://staging.test:6443"
    assert by_context.configuration.host == "https://production.test:6443"


def test_two_ways_at_once_are_refused_by_name(config_file: str) -> None:
    with pytest.raises(ConnectionConfigError, match="in_cluster and kube_config_path"):
        ClusterSettings(in_cluster=True, kube_config_path=config_file)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (ClusterSettings(in_cluster=True), "in_cluster is set"),
        (ClusterSettings(kube_config_path="/nowhere/config"), "/nowhere/config"),
        (ClusterSettings(kube_config="{"), "kube_config"),
    ],
)
def test_what_cannot_be_used_is_named(settings: ClusterSettings, told: str) -> None:
    with pytest.raises(ConnectionConfigError, match=told):
        load(settings)


def test_the_process_wide_configuration_is_not_changed(config_file: str) -> None:
    """Two connections in one process must not mix one cluster's address with another's token."""
    before = Configuration.get_default_copy().host
    load(ClusterSettings(kube_config_path=config_file, verify_ssl=False))
    assert Configuration.get_default_copy().host == before
    assert Configuration.get_default_copy().verify_ssl is True


def test_a_broken_kube_config_is_not_quoted() -> None:
    with pytest.raises(ConnectionConfigError) as caught:
        load(ClusterSettings(kube_config='{"users": [{"user": {"token": "shhh"}}'))
    assert "shhh" not in str(caught.value)


def test_no_credential_is_shown_by_repr(config_file: str) -> None:
    assert "token-of-staging" not in repr(load(ClusterSettings(kube_config_path=config_file)))
