"""What a connection says is used, or refused by name; never ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import Connection
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.exceptions import ConnectionConfigError, SeldonError
from airflow_provider_seldon.get_provider_info import connection_fields
from airflow_provider_seldon.hooks.connection_extras import KUBERNETES, PREFIXES, extras_of
from airflow_provider_seldon.hooks.seldon import SeldonHook


def connection(extra: Any, conn_type: str = "seldon") -> Connection:
    text = extra if isinstance(extra, str) else json.dumps(extra)
    return Connection(conn_id="x", conn_type=conn_type, extra=text)


@pytest.mark.parametrize("conn_type", ["seldon", "kubernetes"])
@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("kubeconfig_path", "kube_config_path"),
        ("kubeconfig", "kube_config"),
        ("namespce", "namespace"),
        ("Namespace", "namespace"),
        ("clusterContext", "cluster_context"),
        ("extra__kubernetes__namespce", "namespace"),
        ("in-cluster", "in_cluster"),
    ],
)
def test_an_unknown_extra_is_refused_with_the_nearest_name(conn_type: str, name: str, meant: str):
    plain = next((name.removeprefix(one) for one in PREFIXES if name.startswith(one)), name)
    with pytest.raises(ConnectionConfigError, match=f"unknown extra field '{plain}'.*did you mean '{meant}'"):
        extras_of(connection({name: "shhh"}, conn_type))


def test_an_unknown_extra_that_resembles_none_is_refused_too_but_where_others_use_the_connection():
    with pytest.raises(ConnectionConfigError, match=r"unknown extra field 'zzz'.*valid are cluster_context"):
        extras_of(connection({"zzz": 1}))
    assert extras_of(connection({"zzz": 1, "namespace": "a"}, "kubernetes"))["namespace"] == "a"


@pytest.mark.parametrize("conn_type", ["seldon", "kubernetes"])
def test_all_that_the_kubernetes_hook_accepts_is_accepted_with_the_old_prefix_as_well(conn_type: str):
    for name in (*connection_fields(), *KUBERNETES):
        for key in (name, *(f"{prefix}{name}" for prefix in PREFIXES)):
            assert extras_of(connection({key: None}, conn_type)) == {key: None}
            assert extras_of(connection({key: ""}, conn_type)) == {key: ""}


def test_the_old_prefix_means_the_same():
    extra = {f"{PREFIXES[1]}kube_config": "{", f"{PREFIXES[0]}namespace": "models"}
    hook = SeldonHook("x", connection=connection(extra))
    with pytest.raises(ConnectionConfigError, match="kube_config"):
        _ = hook.namespace


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("{kube_config_path: /etc/prod, namespace: models}", "its extra is not JSON"),
        ("[1]", "its extra is a JSON list"),
        ('"text"', "its extra is a JSON str"),
        ("5", "its extra is a JSON int"),
        ({"namespace": 5}, "namespace is a int"),
        ({"kube_config_path": ["a"]}, "kube_config_path is a list"),
        ({"in_cluster": "maybe"}, "in_cluster is neither true nor false"),
        ({"disable_verify_ssl": []}, "disable_verify_ssl is neither true nor false"),
        ({"ingress_verify": 5}, "ingress_verify is a int"),
    ],
)
def test_an_extra_that_is_not_what_it_should_be_is_refused_in_the_connection_test_too(extra: Any, told: str):
    with pytest.raises(ConnectionConfigError, match=told):
        extras_of(connection(extra))
    works, message = SeldonHook("x", connection=connection(extra)).test_connection()
    assert not works
    assert told in message


@pytest.mark.parametrize("extra", ["", " ", "null", "{}"])
def test_no_extra_is_no_error(extra: str):
    assert extras_of(connection(extra)) == {}


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
names = st.sampled_from([*connection_fields(), *KUBERNETES]) | st.text(max_size=10)


@given(
    st.dictionaries(names, values, max_size=3).map(json.dumps) | st.text(max_size=20),
    st.sampled_from(["seldon", "kubernetes", ""]),
    st.none() | st.text(max_size=5),
)
def test_whatever_a_connection_says_nothing_but_documented_errors_come_of_it(
    extra: str, conn_type: str, text: str | None
):
    made = Connection(conn_id="x", conn_type=conn_type, login=text, password=text, extra=extra)
    hook = SeldonHook("x", connection=made)
    for use in (lambda: hook.namespace, lambda: hook.ingress, lambda: hook.access.resolve()):
        try:
            use()
        except SeldonError:
            continue
