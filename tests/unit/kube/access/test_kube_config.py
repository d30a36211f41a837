"""Kubeconfigs as kubectl reads them, and what is said of those that are none."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client import Configuration

from airflow_provider_seldon.exceptions import ConnectionConfigError, CredentialPluginError, SeldonError
from airflow_provider_seldon.kube.access import exec_plugin
from airflow_provider_seldon.kube.access.access import RestConfig
from airflow_provider_seldon.kube.access.configuration import ClusterSettings, load
from airflow_provider_seldon.kube.access.exec_plugin import said
from airflow_provider_seldon.kube.access.kube_config import set_proxy

CONFIG = {
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a", "namespace": "ns"}}],
    "clusters": [{"name": "a", "cluster": {"server": "https://api.test:6443"}}],
    "users": [{"name": "a", "user": {"token": "shhh-1234"}}],
}
TEXT = json.dumps(CONFIG)
V1 = "client.authentication.k8s.io/v1"


def changed(section: str, **fields: Any) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(TEXT)
    config[section][0][section[:-1]] = config[section][0][section[:-1]] | fields
    return config


def with_plugin(**spec: Any) -> ClusterSettings:
    config = changed("users")
    config["users"][0]["user"] = {"exec": {"apiVersion": V1, **spec}}
    return ClusterSettings(kube_config=config)


@pytest.mark.parametrize(
    "given", [CONFIG, TEXT, json.dumps(TEXT), json.dumps(json.dumps(TEXT)), yaml.safe_dump(CONFIG)]
)
def test_a_kube_config_may_have_been_encoded_twice(given: Any):
    cluster = load(ClusterSettings(kube_config=given))
    assert (cluster.configuration.host, cluster.namespace) == ("https://api.test:6443", "ns")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (base64.b64encode(TEXT.encode()).decode(), "base64"),
        ("/etc/airflow/kubeconfig", "kube_config_path"),
        ("~/.kube/config", "kube_config_path"),
        ("kubeconfig.yaml", "kube_config_path"),
        ("- a", "is a list"),
        ("some words", "not a kubeconfig"),
        ([CONFIG], "is a list"),
        (5, "is a int"),
        ("{", "neither valid YAML nor JSON"),
        ('{"users": 5, "current-context": "a"}', "users is not a list"),
        ('{"users": [5]}', r"users\[0\] has no name"),
        ('{"clusters": [{"name": "a", "cluster": [1]}]}', r"clusters\[0\].cluster is not a mapping"),
        ('{"current-context": {"a": 1}}', "current-context is not text"),
        ("[" * 100_000, "kube_config"),
    ],
)
def test_what_is_no_kube_config_is_refused_with_the_fix(given: Any, told: str):
    with pytest.raises(ConnectionConfigError, match=told) as caught:
        load(ClusterSettings(kube_config=given))
    assert "shhh" not in str(caught.value)


KEYS = [
    *("name", "cluster", "user", "context", "server", "token", "username", "password", "proxy-url", "config"),
    *("tls-server-name", "auth-provider", "certificate-authority-data", "client-key-data"),
]
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["a", "https://a:1"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=8,
)
configs = st.dictionaries(
    st.sampled_from(["clusters", "contexts", "users", "current-context", "kind", "apiVersion"]), values
) | st.builds(
    lambda section, key, value: changed(section, **{key: value}),
    st.sampled_from(["clusters", "contexts", "users"]),
    st.sampled_from(["server", "token", "cluster", "user", "namespace", "proxy-url", "auth-provider"]),
    values,
)


@given(configs | st.text(max_size=30) | values)
def test_whatever_is_given_as_a_kube_config_is_read_or_refused_by_name(given: Any):
    told = ""
    try:
        load(ClusterSettings(kube_config=given, context="a"))
    except SeldonError as error:
        told = str(error)
    assert "shhh-1234" not in told


@pytest.mark.parametrize("entry", [{"name": "a", "token": "shhh-1234"}, {"name": "a", "user": "shhh-1234"}])
def test_an_entry_that_is_not_as_it_should_be_is_not_quoted(tmp_path: Path, entry: dict[str, Any]):
    config = json.loads(TEXT) | {"users": [entry]}
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    for settings in (ClusterSettings(kube_config_path=str(path)), ClusterSettings(kube_config=config)):
        with pytest.raises(ConnectionConfigError) as caught:
            load(settings)
        assert "shhh" not in str(caught.value)


@pytest.mark.parametrize("form", ["inline", "file"])
def test_the_proxy_of_a_kubeconfig_is_used_whatever_the_environment_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
):
    monkeypatch.setenv("HTTPS_PROXY", "http://other:1")
    monkeypatch.setenv("NO_PROXY", "api.test")
    config = changed("clusters", **{"proxy-url": "http://me:p%40ss@proxy.test:3128/"})
    path = tmp_path / "config"
    path.write_text(json.dumps(config))
    settings = {"kube_config_path": str(path)} if form == "file" else {"kube_config": config}
    made = load(ClusterSettings(**settings)).configuration  # type: ignore[arg-type]
    config = RestConfig.open(made)
    assert (made.proxy, config.proxy) == ("http://proxy.test:3128", "http://proxy.test:3128")
    encoded = base64.b64encode(b"me:p@ss").decode()
    assert config.proxy_headers == {"proxy-authorization": f"Basic {encoded}"}


@pytest.mark.parametrize(
    "url", ["socks5://proxy:1080", "proxy:3128", "http://", "http://h:port", 5, "http://[x"]
)
def test_a_proxy_that_is_none_is_refused(url: Any):
    with pytest.raises(ConnectionConfigError, match="proxy-url"):
        set_proxy(Configuration(), url)


def test_a_plugin_gives_a_token(tmp_path: Path):
    plugin = tmp_path / "plugin"
    answer = {"apiVersion": V1, "kind": "ExecCredential", "status": {"token": "from-plugin"}}
    plugin.write_text(f"#!/bin/sh\n[ \"$1$WHO\" = getme ] && echo '{json.dumps(answer)}'\n")
    plugin.chmod(0o755)
    settings = with_plugin(command=str(plugin), args=["get"], env=[{"name": "WHO", "value": "me"}])
    assert RestConfig.open(load(settings).configuration).credentials() == {
        "Authorization": "Bearer from-plugin"
    }


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (
            {"command": "aws-that-is-not-installed"},
            "'aws-that-is-not-installed'.*cannot be run.*No such file",
        ),
        ({"command": "gone", "installHint": "apt install gone"}, "apt install gone"),
        (
            {"command": "sh", "args": ["-c", "echo Unable to locate credentials >&2; exit 255"]},
            "exit code 255: Unable to locate credentials",
        ),
        ({"command": "false"}, "without any output"),
        ({"command": "echo", "args": ["hi"]}, "'echo'.*not JSON"),
        ({"command": "echo", "args": ["[]"]}, "not an ExecCredential"),
        ({"command": "echo", "args": [json.dumps({"kind": "ExecCredential"})]}, "another version"),
        (
            {
                "command": "echo",
                "args": [json.dumps({"kind": "ExecCredential", "apiVersion": V1, "status": {}})],
            },
            "neither a token",
        ),
        ({"command": "sleep", "args": ["60"]}, "did not answer within"),
        ({"command": "a\0b"}, "cannot be run"),
        ({"command": 5}, "no command"),
    ],
)
def test_a_plugin_that_fails_is_named_with_what_it_said(
    monkeypatch: pytest.MonkeyPatch, spec: dict[str, Any], told: str
):
    monkeypatch.setattr(exec_plugin, "TIMEOUT", 5.0 if spec["command"] != "sleep" else 0.2)
    with pytest.raises(CredentialPluginError, match=told) as caught:
        load(with_plugin(**spec))
    assert caught.value.retryable


@pytest.mark.parametrize(
    "secret",
    [
        "token=shhh-secret",
        "Bearer shhh-secret",
        '"aws_secret_access_key": "shhh-secret"',
        "eyJhbGciOi.shhh-secret.sig",
        "password: shhh-secret",
        "shhh-secretABCDEFGHIJKLMNOP1234",
    ],
)
def test_what_a_plugin_says_is_shown_without_credentials(secret: str):
    shown = said(f"first line\n\nerror: cannot log in with {secret}\n")
    assert "shhh" not in shown
    assert shown.startswith("first line / error: cannot log in with")
