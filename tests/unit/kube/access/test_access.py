from __future__ import annotations

import base64
import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import Configuration

from airflow_provider_seldon.kube.access.access import ClusterAccess, RestConfig
from airflow_provider_seldon.kube.access.configuration import ClusterSettings


def configuration(host: str = "http://api:1/", **fields: Any) -> Configuration:
    made = Configuration(host=host)
    made.proxy = made.no_proxy = None
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def kubeconfig(**user: Any) -> dict[str, Any]:
    return {
        "current-context": "a",
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "ns"}}],
        "clusters": [{"name": "a", "cluster": {"server": "http://api:1"}}],
        "users": [{"name": "a", "user": user}],
    }


def test_key_tells_clusters_and_users_apart_but_not_namespaces():
    settings = [
        ClusterSettings(),
        ClusterSettings(in_cluster=True),
        ClusterSettings(kube_config_path="a"),
        ClusterSettings(kube_config_path="a", context="b"),
        ClusterSettings(kube_config=json.dumps(kubeconfig(token="one"))),
        ClusterSettings(kube_config=json.dumps(kubeconfig(token="two"))),
        ClusterSettings(verify_ssl=False),
    ]
    keys = {ClusterAccess.of(one).key for one in settings}
    assert len(keys) == len(settings)
    assert ClusterAccess.of(ClusterSettings(namespace="x")) == ClusterAccess.of(
        ClusterSettings(namespace="y")
    )


def test_neither_key_nor_repr_shows_a_secret():
    access = ClusterAccess.of(ClusterSettings(kube_config=json.dumps(kubeconfig(token="s3cr3t"))))
    assert "s3cr3t" not in repr(access)
    config = RestConfig.open(access.resolve())
    assert "s3cr3t" not in repr(config)
    assert config.credentials() == {"Authorization": "Bearer s3cr3t"}


def test_username_and_password_become_a_header():
    access = ClusterAccess.of(ClusterSettings(kube_config=kubeconfig(username="u", password="p")))
    encoded = base64.b64encode(b"u:p").decode()
    assert RestConfig.open(access.resolve()).credentials() == {"Authorization": f"Basic {encoded}"}
    assert RestConfig.open(configuration(username="u", password="p")).credentials() == {
        "Authorization": f"Basic {encoded}"
    }


def test_no_credentials_send_no_header():
    assert RestConfig.open(configuration()).credentials() == {}


def test_token_that_is_refreshed_in_place_is_read_each_time():
    tokens = iter(["one", "two"])

    def refresh(made: Configuration) -> None:
        made.api_key["BearerToken"] = f"Bearer {next(tokens)}"

    made = configuration(refresh_api_key_hook=refresh, api_key={"BearerToken": ""})
    config = RestConfig.open(made)
    assert [config.credentials()["Authorization"] for _ in range(2)] == ["Bearer one", "Bearer two"]


def test_plain_http_has_no_tls():
    config = RestConfig.open(configuration())
    assert (config.server, config.tls) == ("http://api:1", None)


def test_certificates_are_checked_unless_it_is_switched_off():
    checked = RestConfig.open(configuration("https://api")).tls
    assert checked is not None
    assert (checked.verify_mode, checked.check_hostname) == (ssl.CERT_REQUIRED, True)
    unchecked = RestConfig.open(configuration("https://api", verify_ssl=False)).tls
    assert unchecked is not None
    assert (unchecked.verify_mode, unchecked.check_hostname) == (ssl.CERT_NONE, False)


def test_certificate_authority_of_the_cluster_is_the_only_one(tmp_path: Path):
    empty = tmp_path / "ca.crt"
    empty.write_text("")
    with pytest.raises(ssl.SSLError):
        RestConfig.open(configuration("https://api", ssl_ca_cert=str(empty)))


def test_server_name_proxy_and_its_exceptions_are_taken_over():
    config = RestConfig.open(
        configuration(
            "https://api", tls_server_name="other", proxy="http://proxy:3128", proxy_headers={"a": "b"}
        )
    )
    assert (config.server_name, config.proxy, config.proxy_headers) == (
        "other",
        "http://proxy:3128",
        {"a": "b"},
    )
    assert (
        RestConfig.open(configuration("https://api", proxy="http://proxy:3128", no_proxy="api")).proxy is None
    )
