"""Whatever a watch delivers is taken in or refused, and what was taken in can be judged."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import judge
from airflow_provider_seldon.exceptions import SeldonError
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.kube.watch.reflector import Reflector, Sink, _event
from airflow_provider_seldon.kube.watch.store import Store

KEYS = [
    *("metadata", "name", "uid", "labels", "annotations", "ownerReferences", "generation", "resourceVersion"),
    *("spec", "predictors", "graph", "replicas", "template", "containers", "image", "status", "state"),
    *("conditions", "type", "deploymentStatus", "availableReplicas", "seldon-deployment-id", "kind"),
]
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 10**20)
    | st.sampled_from(["iris", "Available", "1", "", "²"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=12,
)
objects = st.builds(
    lambda metadata, rest: {**rest, "metadata": {"name": "iris", **metadata}},
    st.dictionaries(st.sampled_from(KEYS[2:8]), values, max_size=3),
    st.dictionaries(st.sampled_from(["spec", "status", "kind"]), values, max_size=2),
)
events = st.fixed_dictionaries(
    {"type": st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "odd", None])},
    optional={"object": objects | values},
)
lines = (
    events.map(lambda event: json.dumps(event).encode())
    | values.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=20)
)


def reflector(sink: Sink) -> Reflector:
    access = ClusterAccess(key="none", resolve=lambda: None)  # type: ignore[arg-type, return-value]
    return Reflector(session=ApiSession(access), path="/x", sink=sink, on_synced=lambda: None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), lines), max_size=6))
def test_whatever_a_watch_delivers_can_be_judged(delivered: list[tuple[bool, bytes]]) -> None:
    store = Store()
    deployments = reflector(
        Sink(put=store.put_deployment, drop=store.drop_deployment, names=store.deployments)
    )
    children = reflector(Sink(put=store.put_child, drop=store.drop_child, names=store.children))
    for of_children, line in delivered:
        try:
            (children if of_children else deployments)._take(_event(line))
        except (ValueError, SeldonError):
            continue
        entry = store.entry("iris")
        verdict: Any = judge(entry.deployment, entry.children, expected=Expectation(), now=1.0)
        assert verdict.reason
