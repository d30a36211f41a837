"""Understanding requests: paths, selectors, bodies in protobuf."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from airflow_provider_seldon.local.apiserver.access.authorization import Attributes, Deny, User
from airflow_provider_seldon.local.apiserver.protocol import protobuf, request, status
from airflow_provider_seldon.local.apiserver.reads.tables import age
from airflow_provider_seldon.local.faults import Fault, Faults

SELDON = "/apis/machinelearning.seldon.io/v1"


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/namespaces/ns/pods/p/log", {}, ("get", "pods/log", "ns", "p")),
        ("GET", "/api/v1/pods", {}, ("list", "pods", "", "")),
        ("GET", "/api/v1/pods", {"watch": "true"}, ("watch", "pods", "", "")),
        ("GET", "/api/v1/watch/namespaces/ns/pods", {}, ("watch", "pods", "ns", "")),
        ("GET", "/api/v1/namespaces", {}, ("list", "namespaces", "", "")),
        ("GET", "/api/v1/namespaces/ns", {}, ("get", "namespaces", "", "ns")),
        ("PATCH", "/api/v1/namespaces/ns/status", {}, ("patch", "namespaces/status", "", "ns")),
        ("POST", f"{SELDON}/namespaces/ns/seldondeployments", {}, ("create", "seldondeployments", "ns", "")),
        (
            "DELETE",
            f"{SELDON}/namespaces/ns/seldondeployments",
            {},
            ("deletecollection", "seldondeployments", "ns", ""),
        ),
        (
            "PUT",
            f"{SELDON}/namespaces/ns/seldondeployments/m/scale",
            {},
            ("update", "seldondeployments/scale", "ns", "m"),
        ),
    ],
)
def test_paths_are_understood(
    method: str, path: str, query: dict[str, str], expected: tuple[str, str, str, str]
) -> None:
    info = request.parse(method, path, query=query)
    assert info is not None
    assert (info.verb, info.permission, info.namespace, info.name) == expected


@pytest.mark.parametrize("path", ["/apis", "/apis/apps", "/apis/apps/v1", "/version", "/"])
def test_other_paths_are_no_resources(path: str) -> None:
    assert request.parse("GET", path, query={}) is None


@pytest.mark.parametrize(
    "path", ["/api/v1/nonsense", "/apis/apps/v2/deployments", f"{SELDON}/seldondeployments/m/x"]
)
def test_unknown_resources_are_not_served(path: str) -> None:
    with pytest.raises(status.NoSuchPathError):
        request.parse("GET", path, query={})


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def _envelope(api_version: str, kind: str, raw: bytes) -> bytes:
    head = _field(1, api_version.encode()) + _field(2, kind.encode())
    return b"k8s\x00" + _field(1, head) + _field(2, raw)


def test_a_secret_in_protobuf() -> None:
    metadata = _field(1, b"s") + _field(11, _field(1, b"label") + _field(2, b"value"))
    raw = _field(1, metadata) + _field(2, _field(1, b"key") + _field(2, b"text")) + _field(3, b"")
    decoded: dict[str, Any] = protobuf.decode(_envelope("v1", "Secret", raw))
    assert decoded == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "labels": {"label": "value"}},
        "data": {"key": base64.b64encode(b"text").decode()},
    }


def test_numbers_in_protobuf_keep_a_meaningful_zero() -> None:
    spec = bytes([1 << 3, 0]) + bytes([5 << 3, 0])
    decoded = protobuf.decode(_envelope("apps/v1", "Deployment", _field(2, spec)))
    assert decoded["spec"] == {"replicas": 0}


def test_what_is_not_described_in_protobuf_is_refused_not_lost() -> None:
    with pytest.raises(status.StatusError, match="field 15 of Secret") as refused:
        protobuf.decode(_envelope("v1", "Secret", bytes([15 << 3, 1])))
    assert refused.value.code == 415
    with pytest.raises(status.StatusError, match="kind Node"):
        protobuf.decode(_envelope("v1", "Node", b""))
    with pytest.raises(status.StatusError) as broken:
        protobuf.decode(b"k8s\x00\x0a\x50short")
    assert broken.value.code == 400


def test_a_fault_strikes_as_often_as_ordered() -> None:
    faults = Faults()
    faults.add(Fault(verb="get", resource="pods/*", name="p", skip=1, count=2, status=500))

    def meet(resource: str = "pods", name: str = "p", verb: str = "get") -> bool:
        return faults.take(verb=verb, apply=False, resource=resource, name=name, namespace="x") is not None

    assert [meet(), meet(verb="list"), meet(name="q"), meet("pods/log"), meet(), meet()] == [
        False,
        False,
        False,
        True,
        True,
        False,
    ]


def test_faults_travel_as_json() -> None:
    fault = Fault(verb="watch", delay=0.5, drop="after", count=None)
    assert Fault.from_json(fault.to_json()) == fault
    with pytest.raises(ValueError, match="neither 'before' nor 'after'"):
        Fault(drop="during")


def test_a_rule_denies_what_it_covers() -> None:
    rule = Deny(verb="list", resource="pods", group="", namespace="a")
    user = User(name="jane")
    assert rule.forbids(Attributes(verb="list", resource="pods", namespace="a"), user)
    assert not rule.forbids(Attributes(verb="list", resource="pods", namespace="b"), user)
    assert not rule.forbids(Attributes(verb="get", resource="pods", namespace="a"), user)
    assert not rule.forbids(Attributes(verb="list", resource="pods/log", namespace="a"), user)


def test_ages_are_abbreviated_as_kubectl_does() -> None:
    assert age(None) == "<unknown>"
    assert age("2020-01-01T00:00:00Z").endswith(("d", "y"))
