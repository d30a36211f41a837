"""Secrets on a Kubernetes API: made once, owned by who uses them, gone with the last, and never read."""

from __future__ import annotations

import base64
import json
from typing import Any, Literal

import pytest

from airflow_provider_seldon.core.identity.annotations import LABEL_MANAGED_BY, MANAGER
from airflow_provider_seldon.exceptions import ConflictError, NotFoundError, NotManagedError
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.local.faults import Fault

VALUES = {"RCLONE_CONFIG_S3_TYPE": "s3", "RCLONE_CONFIG_S3_SECRET_ACCESS_KEY": "shh"}
SECRETS = "/api/v1/namespaces/default/secrets"


@pytest.fixture
def client(local_api: Any) -> SeldonClient:
    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration()
    configuration.host = local_api.url
    return SeldonClient(ApiClient(configuration), namespace="default")


@pytest.fixture
def requests(local_api: Any) -> Any:
    """The requests that were sent since the last ``clear``."""
    return local_api.requests


def told(requests: Any) -> list[str]:
    lines = [
        f"{one.method} {one.path.removeprefix(SECRETS)}"
        for one in requests.entries()
        if one.path.startswith(SECRETS)
    ]
    requests.clear()
    return lines


def user(client: SeldonClient, name: str) -> str:
    """The uid of an object that can own a Secret; the collector would take one whose owners do not exist."""
    maps = "/api/v1/namespaces/default/configmaps"
    try:
        found = client._transport.request("GET", f"{maps}/{name}")
    except NotFoundError:
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        found = client._transport.request("POST", maps, body=body)
    return str(found["metadata"]["uid"])


def ensure(client: SeldonClient, name: str, *, known: bool = False) -> None:
    uid = user(client, name)
    client.secrets.ensure(
        "storage", VALUES, owner=name, uid=uid, api_version="v1", kind="ConfigMap", known=known
    )


def release(client: SeldonClient, name: str) -> bool:
    return client.secrets.release("storage", uid=user(client, name))


def stored(client: SeldonClient, name: str = "storage") -> dict[str, Any]:
    return client._transport.request("GET", f"{SECRETS}/{name}")


def owners(client: SeldonClient) -> list[str]:
    return [one["name"] for one in stored(client)["metadata"].get("ownerReferences", [])]


def test_a_new_secret_takes_one_request_and_has_its_owner_from_the_start(
    client: SeldonClient, requests: Any
) -> None:
    requests.clear()
    ensure(client, "a")
    assert told(requests) == ["POST "]
    secret = stored(client)
    assert secret["metadata"]["labels"] == {LABEL_MANAGED_BY: MANAGER}
    assert secret["immutable"] is True
    assert base64.b64decode(secret["data"]["RCLONE_CONFIG_S3_SECRET_ACCESS_KEY"]) == b"shh"
    assert owners(client) == ["a"]


@pytest.mark.parametrize("drop", ["before", "after"])
def test_a_connection_that_breaks_while_it_is_made_leaves_one_secret(
    client: SeldonClient, local_api: Any, drop: Literal["before", "after"]
) -> None:
    user(client, "a")
    local_api.faults.add(Fault(verb="create", resource="secrets", drop=drop))
    ensure(client, "a")
    assert owners(client) == ["a"]


def test_one_that_is_known_takes_one_look(client: SeldonClient, requests: Any) -> None:
    ensure(client, "a")
    requests.clear()
    ensure(client, "a", known=True)
    assert told(requests) == ["GET /storage"]


def test_a_second_user_becomes_an_owner_besides_the_first(client: SeldonClient, requests: Any) -> None:
    ensure(client, "a")
    before = stored(client)["data"]
    requests.clear()
    ensure(client, "b")
    assert told(requests) == ["POST ", "GET /storage", "PATCH /storage"]
    assert sorted(owners(client)) == ["a", "b"]
    assert stored(client)["data"] == before


def test_a_release_leaves_the_secret_to_its_other_users(client: SeldonClient) -> None:
    ensure(client, "a")
    ensure(client, "b")
    assert release(client, "a") is False
    assert owners(client) == ["b"]


def test_the_last_release_deletes_because_the_collector_would_not(client: SeldonClient) -> None:
    ensure(client, "a")
    assert release(client, "a") is True
    assert not client.secrets.exists("storage")
    assert release(client, "a") is True


def test_a_release_by_one_that_does_not_own_it_does_nothing(client: SeldonClient) -> None:
    ensure(client, "a")
    assert release(client, "b") is False
    assert owners(client) == ["a"]


def test_a_secret_that_changes_between_the_look_and_the_deletion_is_looked_at_again(
    client: SeldonClient, local_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another deployment begins to use it at that moment: it must not be taken away from that one."""
    ensure(client, "a")
    look = client.secrets._metadata

    def look_and_be_overtaken(name: str) -> Any:
        seen = look(name)
        if owners(client) == ["a"]:
            ensure(client_of_the_other, "b")
        return seen

    from kubernetes.client import ApiClient, Configuration

    configuration = Configuration()
    configuration.host = local_api.url
    client_of_the_other = SeldonClient(ApiClient(configuration), namespace="default")
    monkeypatch.setattr(client.secrets, "_metadata", look_and_be_overtaken)
    assert release(client, "a") is False
    assert owners(client) == ["b"]


def foreign(client: SeldonClient, **metadata: Any) -> dict[str, Any]:
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "storage", **metadata},
        "data": {"a": "Yg=="},
    }
    return client._transport.request("POST", SECRETS, body=body)


@pytest.mark.parametrize("labels", [{}, {LABEL_MANAGED_BY: "Helm"}])
def test_another_owners_secret_is_neither_written_nor_deleted(
    client: SeldonClient, labels: dict[str, str]
) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": user(client, "a")}
    before = foreign(client, labels=labels, ownerReferences=[owner])
    with pytest.raises(NotManagedError) as caught:
        ensure(client, "a")
    assert "shh" not in str(caught.value)
    assert release(client, "a") is False
    assert stored(client) == before


def test_values_are_never_fetched(client: SeldonClient, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[bytes] = []
    send = client._transport._send

    def note(*arguments: Any, **options: Any) -> Any:
        answer = send(*arguments, **options)
        answers.append(json.dumps(answer).encode())
        return answer

    monkeypatch.setattr(client._transport, "_send", note)
    ensure(client, "a")
    ensure(client, "b", known=True)
    client.secrets.exists("storage")
    release(client, "b")
    release(client, "a")
    assert len(answers) > 8
    encoded = base64.b64encode(b"shh")
    assert [answer for answer in answers if b"shh" in answer or encoded in answer] == []


def test_a_secret_that_comes_and_goes_is_reported_without_its_content(
    client: SeldonClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(client, "a")
    monkeypatch.setattr(client.secrets, "_metadata", lambda name: None)
    with pytest.raises(ConflictError, match="created and deleted repeatedly") as caught:
        ensure(client, "b")
    assert "shh" not in str(caught.value)
