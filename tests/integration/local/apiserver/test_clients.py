"""The official Python clients, synchronous and asynchronous, against the local API server."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import kubernetes
import kubernetes_asyncio
import pytest

from airflow_provider_seldon.local.apiserver import ApiServer
from airflow_provider_seldon.local.faults import Fault
from tests.integration.local.apiserver.rest import APPS, Rest, deployment, seldon_deployment

WHERE: dict[str, Any] = {
    "group": "machinelearning.seldon.io",
    "version": "v1",
    "namespace": "default",
    "plural": "seldondeployments",
}
APPLY = "application/apply-patch+yaml"


@pytest.fixture
def client(local_api: ApiServer) -> kubernetes.client.ApiClient:
    """A synchronous client."""
    configuration = kubernetes.client.Configuration(host=local_api.url)
    configuration.proxy = None
    return kubernetes.client.ApiClient(configuration)


def test_custom_objects_are_created_read_patched_and_deleted(client: Any) -> None:
    api = kubernetes.client.CustomObjectsApi(client)
    created = api.create_namespaced_custom_object(body=seldon_deployment("model"), **WHERE)
    assert created["metadata"]["generation"] == 1
    patched = api.patch_namespaced_custom_object(name="model", body={"spec": {"replicas": 2}}, **WHERE)
    assert patched["spec"]["replicas"] == 2
    api.patch_namespaced_custom_object_status(name="model", body={"status": {"state": "Available"}}, **WHERE)
    assert api.get_namespaced_custom_object(name="model", **WHERE)["status"] == {"state": "Available"}
    listed = api.list_namespaced_custom_object(label_selector="a=b", limit=500, **WHERE)
    assert listed["items"] == []
    gone = api.delete_namespaced_custom_object(name="model", propagation_policy="Foreground", **WHERE)
    assert gone["metadata"]["finalizers"] == ["foregroundDeletion"]


def test_custom_objects_are_applied(client: Any) -> None:
    api = kubernetes.client.CustomObjectsApi(client)

    def apply(manager: str, **spec: Any) -> Any:
        return api.patch_namespaced_custom_object(
            name="model",
            body=seldon_deployment("model", **spec),
            field_manager=manager,
            field_validation="Strict",
            _content_type=APPLY,
            **WHERE,
        )

    # Kubernetes answers 201 to an apply that creates, which the client has no type for: the object is lost.
    assert apply("one", replicas=1) is None
    assert apply("one", replicas=1)["spec"]["replicas"] == 1
    with pytest.raises(kubernetes.client.ApiException) as refused:
        apply("two", replicas=2)
    assert refused.value.status == 409
    assert "FieldManagerConflict" in refused.value.body


def test_typed_objects_are_read_and_written(client: Any, local: Rest) -> None:
    core, apps = kubernetes.client.CoreV1Api(client), kubernetes.client.AppsV1Api(client)
    secret = kubernetes.client.V1Secret(
        metadata=kubernetes.client.V1ObjectMeta(name="s"), string_data={"a": "b"}
    )
    assert core.create_namespaced_secret("default", secret).data == {"a": base64.b64encode(b"b").decode()}
    local.post(local.path(APPS, "deployments"), deployment("d")).ok()
    read = apps.read_namespaced_deployment("d", "default")
    assert read.spec.template.spec.containers[0].image == "image:1"
    assert apps.list_namespaced_deployment("default", label_selector="x=y").items == []
    assert core.list_namespaced_pod("default", field_selector="status.phase=Running").items == []
    assert core.list_namespaced_event("default").items == []
    options = kubernetes.client.V1DeleteOptions(
        preconditions=kubernetes.client.V1Preconditions(uid="00000000-0000-4000-8000-000000000000")
    )
    with pytest.raises(kubernetes.client.ApiException) as refused:
        core.delete_namespaced_secret("s", "default", body=options)
    assert refused.value.status == 409


def test_access_reviews_are_answered(client: Any) -> None:
    review = kubernetes.client.V1SelfSubjectAccessReview(
        spec=kubernetes.client.V1SelfSubjectAccessReviewSpec(
            resource_attributes=kubernetes.client.V1ResourceAttributes(verb="list", resource="pods")
        )
    )
    api = kubernetes.client.AuthorizationV1Api(client)
    assert api.create_self_subject_access_review(review).status.allowed is True
    assert kubernetes.client.VersionApi(client).get_code().major == "1"


def test_a_watch_survives_a_closed_connection(client: Any, local: Rest, local_api: ApiServer) -> None:
    api = kubernetes.client.CustomObjectsApi(client)
    local_api.faults.add(Fault(verb="watch", close_watch_after=0.1))
    local.post(local.sdep(), seldon_deployment("model")).ok()
    watch = kubernetes.watch.Watch()
    seen = []
    for event in watch.stream(api.list_namespaced_custom_object, timeout_seconds=20, **WHERE):
        seen.append((event["type"], event["object"]["metadata"]["name"]))
        if len(seen) == 1:
            local.merge(local.sdep("model"), {"spec": {"replicas": 2}}).ok()
        if len(seen) == 2:
            watch.stop()
    assert seen[0] == ("ADDED", "model")
    assert seen[1][1] == "model"


def test_the_asynchronous_client_lists_watches_and_applies(local_api: ApiServer) -> None:
    async def run() -> list[tuple[str, str]]:
        configuration = kubernetes_asyncio.client.Configuration(host=local_api.url)
        configuration.proxy = None
        async with kubernetes_asyncio.client.ApiClient(configuration) as client:
            api = kubernetes_asyncio.client.CustomObjectsApi(client)
            start = (await api.list_namespaced_custom_object(**WHERE))["metadata"]["resourceVersion"]
            await api.patch_namespaced_custom_object(
                name="model",
                body=seldon_deployment("model"),
                field_manager="m",
                _content_type=APPLY,
                **WHERE,
            )
            seen = []
            async with kubernetes_asyncio.watch.Watch() as watch:
                async for event in watch.stream(
                    api.list_namespaced_custom_object,
                    resource_version=start,
                    allow_watch_bookmarks=True,
                    field_selector="metadata.name=model",
                    timeout_seconds=20,
                    **WHERE,
                ):
                    seen.append((event["type"], event["object"]["metadata"]["name"]))
                    if len(seen) == 1:
                        await api.delete_namespaced_custom_object(name="model", **WHERE)
                    if len(seen) == 2:
                        break
            return seen

    assert asyncio.run(run()) == [("ADDED", "model"), ("DELETED", "model")]
