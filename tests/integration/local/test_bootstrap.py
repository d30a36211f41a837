"""What a bare API server is given: the webhook, the logs of a kubelet, a way in from a kubeconfig."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import yaml

from airflow_provider_seldon.local.apiserver.http.external_api_server import ExternalApiServer
from airflow_provider_seldon.local.client.api_client import ApiClient
from airflow_provider_seldon.local.client.kinds import SELDON_DEPLOYMENTS
from airflow_provider_seldon.local.cluster import LocalOptions, LocalSeldon
from airflow_provider_seldon.local.external.webhook import Webhook
from airflow_provider_seldon.local.kubelet.containers.logs import ContainerLog
from airflow_provider_seldon.local.kubelet.pods.log_server import LogServer
from tests.integration.local.apiserver.rest import pod, seldon_deployment


def ask_webhook(manifest: dict[str, Any]) -> dict[str, Any]:
    """Register the webhook and ask it, as an API server does."""

    async def ask() -> dict[str, Any]:
        webhook = Webhook(host="127.0.0.1")
        await webhook.start()
        try:
            client = webhook.configuration()["webhooks"][0]["clientConfig"]
            context = ssl.create_default_context(cadata=base64.b64decode(client["caBundle"]).decode())
            review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview"}
            body = review | {"request": {"uid": "some-uid", "object": manifest}}
            async with (
                aiohttp.ClientSession() as http,
                http.post(client["url"], json=body, ssl=context) as answer,
            ):
                told: dict[str, Any] = await answer.json()
                assert told.items() >= review.items()
                return dict(told["response"])
        finally:
            await webhook.stop()

    return asyncio.run(ask())


def test_the_webhook_lets_pass_what_is_right() -> None:
    assert ask_webhook(seldon_deployment("m")) == {"uid": "some-uid", "allowed": True}


def test_the_webhook_denies_with_code_and_causes() -> None:
    """Who denied it is the API server's to say."""
    answer = ask_webhook(seldon_deployment("m", predictors=[]))
    assert (answer["uid"], answer["allowed"]) == ("some-uid", False)
    status = answer["status"]
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["message"].startswith('SeldonDeployment.machinelearing.seldon.io "" is invalid: ')
    assert status["details"]["causes"]


class Kubelet(SimpleNamespace):
    """A kubelet with one pod, whose one container has written two lines."""

    def manifest(self, namespace: str, name: str) -> dict[str, Any] | None:
        """The pod."""
        waiting = {"name": "late", "restartCount": 0, "state": {"waiting": {"reason": "PodInitializing"}}}
        body = pod("p") | {"status": {"containerStatuses": [waiting]}}
        body["spec"]["containers"].append({"name": "late", "image": "late:1"})
        body["metadata"]["namespace"] = namespace
        return body if (namespace, name) == ("default", "p") else None

    def pod(self, namespace: str, name: str) -> Any:
        """The pod that runs."""
        log = ContainerLog()
        log.write("one\ntwo")
        return SimpleNamespace(container=lambda name: SimpleNamespace(log=log, previous_log=None))


@pytest.mark.parametrize(
    ("path", "code", "text"),
    [
        ("default/p/main", 200, "one\ntwo\n"),
        ("default/p/main?tailLines=1", 200, "two\n"),
        ("default/p/late", 400, 'container "late" in pod "p" is waiting to start: PodInitializing'),
        ("default/p/main?previous=true", 400, 'previous terminated container "main" in pod "p" not found'),
        ("default/absent/main", 404, 'pod "absent" not found\n'),
    ],
)
def test_the_kubelet_gives_out_logs_as_an_api_server_asks(path: str, code: int, text: str) -> None:
    async def ask() -> tuple[int, str]:
        server = LogServer(kubelet=Kubelet(), host="127.0.0.1")  # type: ignore[arg-type]
        await server.start()
        try:
            url = f"https://127.0.0.1:{server.port}/containerLogs/{path}"
            async with aiohttp.ClientSession() as http, http.get(url, ssl=False) as answer:
                return answer.status, await answer.text()
        finally:
            await server.stop()

    assert asyncio.run(ask()) == (code, text)


def test_a_kubeconfig_is_the_way_in(tmp_path: Path) -> None:
    options = LocalOptions(kubelet="simulated", tls=True, token="secret-word", kubeconfig=tmp_path / "config")
    with LocalSeldon(options) as local:
        upstream = ExternalApiServer.of_kubeconfig(local.kubeconfig_path)
        assert upstream.url == local.api_url
        assert "secret-word" not in repr(upstream)

        async def look() -> bool:
            async with ApiClient(
                url=upstream.url, token=upstream.token, ssl_context=upstream.ssl_context
            ) as api:
                return await api.serves(SELDON_DEPLOYMENTS)

        assert asyncio.run(look())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda config: config.update({"current-context": "other"}), "no context 'other'"),
        (
            lambda config: config["users"][0]["user"].update(exec={"command": "login"}),
            "exec is not supported",
        ),
        (lambda config: config["clusters"][0]["cluster"].clear(), "has no server"),
    ],
)
def test_an_unusable_kubeconfig_is_reported(
    tmp_path: Path, change: Callable[[dict[str, Any]], Any], told: str
) -> None:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    change(config)
    path = tmp_path / "config"
    path.write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=told):
        ExternalApiServer.of_kubeconfig(path)
