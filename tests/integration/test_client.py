"""The client against a Kubernetes API that misbehaves as told."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.exceptions import (
    ConflictError,
    DeploymentNotFoundError,
    ForbiddenError,
    RejectedError,
    ServerUnavailableError,
    UnauthorizedError,
)
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.local.faults import Fault


def manifest(name: str = "iris", uri: str = "s3://models/iris", **spec: Any) -> SeldonDeployment:
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": uri}
    return SeldonDeployment.from_manifest(
        {
            "apiVersion": "machinelearning.seldon.io/v1",
            "kind": "SeldonDeployment",
            "metadata": {"name": name},
            "spec": {"predictors": [{"name": "default", "graph": graph}], **spec},
        }
    )


@pytest.fixture
def make_client(local_api: Any) -> Callable[..., SeldonClient]:
    from kubernetes.client import ApiClient, Configuration

    def make(field_manager: str = "airflow-provider-seldon") -> SeldonClient:
        configuration = Configuration(host=local_api.url)
        configuration.retries = False
        return SeldonClient(ApiClient(configuration), namespace="default", field_manager=field_manager)

    return make


@pytest.fixture
def client(make_client: Callable[..., SeldonClient]) -> SeldonClient:
    return make_client()


def sent(local_api: Any) -> list[tuple[str, int]]:
    return [(entry.verb, entry.status) for entry in local_api.requests.entries() if entry.resource]


def test_apply_creates_and_then_updates(client: SeldonClient) -> None:
    created = client.apply(manifest())
    updated = client.apply(manifest(uri="s3://models/iris/2"))
    assert created.uid == updated.uid
    assert (created.metadata.generation, updated.metadata.generation) == (1, 2)  # type: ignore[union-attr]


def test_what_an_apply_leaves_out_is_removed(client: SeldonClient) -> None:
    """A merge patch, as the seed sent it, keeps what was there before."""
    client.apply(manifest(protocol="v2", annotations={"seldon.io/rest-timeout": "100"}))
    again = client.apply(manifest())
    assert again.to_manifest()["spec"].keys() == {"predictors"}


def test_applying_the_same_again_changes_nothing(client: SeldonClient) -> None:
    first, second = client.apply(manifest()), client.apply(manifest())
    assert first.metadata.resource_version == second.metadata.resource_version  # type: ignore[union-attr]


def test_a_field_that_the_crd_does_not_know_is_an_error_not_dropped(client: SeldonClient) -> None:
    with pytest.raises(RejectedError, match="replica"):
        client.apply(manifest(replica=2))


def test_the_admission_webhooks_own_message_is_reported(client: SeldonClient) -> None:
    bad = manifest().to_manifest()
    bad["spec"]["predictors"] *= 2
    with pytest.raises(RejectedError, match="Duplicate predictor name"):
        client.apply(SeldonDeployment.from_manifest(bad))


def test_a_conflict_names_the_manager_and_the_field(
    client: SeldonClient, make_client: Callable[..., SeldonClient]
) -> None:
    make_client("argocd").apply(manifest(protocol="v2"))
    with pytest.raises(ConflictError) as caught:
        client.apply(manifest(protocol="seldon"))
    assert caught.value.managers == ("argocd",)
    assert "spec.protocol" in " ".join(caught.value.fields)
    client.apply(manifest(protocol="seldon"), force=True)


def test_an_apply_with_a_stale_resource_version_is_refused(client: SeldonClient) -> None:
    first = client.apply(manifest())
    client.apply(manifest(uri="s3://models/other"))
    with pytest.raises(ConflictError) as caught:
        client.apply(manifest(), resource_version=first.metadata.resource_version)  # type: ignore[union-attr]
    assert caught.value.managers == ()


def test_a_dry_run_checks_and_stores_nothing(client: SeldonClient) -> None:
    client.apply(manifest(), dry_run=True)
    with pytest.raises(DeploymentNotFoundError, match="default/iris"):
        client.get("iris")


def test_annotating_starts_no_rollout(client: SeldonClient) -> None:
    created = client.apply(manifest())
    annotated = client.annotate("iris", {"note": "x"}, uid=created.uid)
    assert annotated.annotations["note"] == "x"
    assert annotated.metadata.generation == 1  # type: ignore[union-attr]
    with pytest.raises(ConflictError):
        client.annotate("iris", {"note": "y"}, uid="of-another")


def test_a_search_reads_every_page(
    client: SeldonClient, local_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_seldon.kube.requests import pages as module

    for number in range(5):
        client.apply(manifest(f"iris-{number}"))
    monkeypatch.setattr(module, "PAGE_SIZE", 2)
    local_api.requests.clear()
    assert len(client.find()) == 5
    assert [verb for verb, _ in sent(local_api)] == ["list"] * 3
    assert [one.name for one in client.find(fields="metadata.name=iris-3")] == ["iris-3"]


def test_deleting_a_missing_deployment_is_success(client: SeldonClient) -> None:
    assert client.delete("iris") is False


def test_a_deletion_with_another_uid_touches_nothing(client: SeldonClient) -> None:
    client.apply(manifest())
    with pytest.raises(ConflictError):
        client.delete("iris", uid="of-another")
    assert client.get("iris")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_transient_failure_is_retried(client: SeldonClient, local_api: Any, status: int) -> None:
    local_api.faults.add(Fault(verb="apply", status=status, count=2))
    assert client.apply(manifest()).uid
    assert sent(local_api) == [("apply", status), ("apply", status), ("apply", 201)]


def test_retry_after_is_heeded(client: SeldonClient, local_api: Any) -> None:
    client.apply(manifest())
    local_api.faults.add(Fault(verb="get", status=429, retry_after=1))
    started = time.monotonic()
    client.get("iris")
    assert time.monotonic() - started >= 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_connection_that_breaks_before_or_after_the_write_comes_to_the_same(
    client: SeldonClient, local_api: Any, moment: str
) -> None:
    local_api.faults.add(Fault(verb="apply", drop=moment))
    created = client.apply(manifest())
    assert created.metadata.generation == 1  # type: ignore[union-attr]
    assert len(client.find()) == 1


def test_a_server_that_stays_down_is_reported_as_such(
    client: SeldonClient, local_api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_seldon.kube.requests import transport

    monkeypatch.setattr(transport, "LONGEST_PAUSE", 0.05)
    local_api.faults.add(Fault(verb="get", status=503, count=None))
    with pytest.raises(ServerUnavailableError) as caught:
        client.get("iris")
    assert caught.value.status == 503
    assert len(sent(local_api)) == transport.ATTEMPTS


def test_a_webhook_that_is_down_for_a_moment_does_no_harm(client: SeldonClient, local_api: Any) -> None:
    local_api.faults.add(Fault(verb="apply", webhook="down"))
    assert client.apply(manifest()).uid


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, UnauthorizedError), (403, ForbiddenError), (422, RejectedError), (409, ConflictError)],
)
def test_a_final_answer_is_not_retried(client: SeldonClient, local_api: Any, status: int, kind: Any) -> None:
    local_api.faults.add(Fault(verb="apply", status=status, count=None))
    with pytest.raises(kind):
        client.apply(manifest())
    assert len(sent(local_api)) == 1


def test_missing_rights_are_named(client: SeldonClient, local_api: Any) -> None:
    from airflow_provider_seldon.hooks.connection_test import RIGHTS
    from airflow_provider_seldon.local.apiserver.access.authorization import Deny

    assert client.missing_rights(RIGHTS) == []
    local_api.authorizer.deny = (Deny(verb="watch", resource="seldondeployments"),)
    assert client.missing_rights(RIGHTS) == ["watch seldondeployments.machinelearning.seldon.io"]


def test_a_storage_connection_needs_rights_on_secrets(
    local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow_provider_seldon.hooks.seldon import SeldonHook

    local_seldon.requests.clear()
    monkeypatch.setenv("AIRFLOW_CONN_PLAIN", local_seldon.airflow_connection())
    monkeypatch.setenv("AIRFLOW_CONN_STORING", local_seldon.airflow_connection(storage_conn_id="aws_default"))
    asked = {}
    for conn_id in ("plain", "storing"):
        local_seldon.requests.clear()
        assert SeldonHook(conn_id).test_connection()[0] is True
        asked[conn_id] = len(local_seldon.requests.entries(resource="selfsubjectaccessreviews"))
    assert asked["storing"] == asked["plain"] + 4
