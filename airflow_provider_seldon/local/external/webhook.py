"""Seldon Core's validating webhook as a separate server, for an API server that is not part of ``local``.

Purpose: a kube-apiserver calls it for every write of a SeldonDeployment (Kubernetes documentation, "Dynamic
Admission Control"). The rules are those of
:class:`~airflow_provider_seldon.local.apiserver.writes.admission.AdmissionWebhook`.
"""

from __future__ import annotations

import base64

from aiohttp import web

from airflow_provider_seldon.local.apiserver import StatusError
from airflow_provider_seldon.local.apiserver.writes.admission import NAME, AdmissionWebhook
from airflow_provider_seldon.local.certificates import make_certificates
from airflow_provider_seldon.local.client.kinds import Kind, Manifest

CONFIGURATIONS = Kind(
    api_version="admissionregistration.k8s.io/v1",
    plural="validatingwebhookconfigurations",
    kind="ValidatingWebhookConfiguration",
    namespaced=False,
)
CONFIGURATION = "seldon-local-validating-webhook"
_PATH = "/validate-machinelearning-seldon-io-v1-seldondeployment"


class Webhook:
    """Serves the webhook.

    :param host: address to listen on, reachable by the API server
    """

    def __init__(self, *, host: str) -> None:
        self._host = host
        self._certificates = make_certificates(host)
        self._rules = AdmissionWebhook()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def start(self) -> None:
        """Start serving."""
        app = web.Application(client_max_size=8 * 1024 * 1024)
        app.router.add_post(_PATH, self._review)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0, ssl_context=self._certificates.server).start()
        self._port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop serving; remove the registration first."""
        if self._runner is not None:
            await self._runner.cleanup()

    def configuration(self) -> Manifest:
        """The object that registers it in an API server."""
        rule = {
            "apiGroups": ["machinelearning.seldon.io"],
            "apiVersions": ["v1"],
            "operations": ["CREATE", "UPDATE"],
            "resources": ["seldondeployments"],
        }
        return {
            "apiVersion": CONFIGURATIONS.api_version,
            "kind": CONFIGURATIONS.kind,
            "metadata": {"name": CONFIGURATION},
            "webhooks": [
                {
                    "name": NAME,
                    "rules": [rule],
                    "failurePolicy": "Fail",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {
                        "url": f"https://{self._host}:{self._port}{_PATH}",
                        "caBundle": base64.b64encode(self._certificates.authority_pem).decode(),
                    },
                }
            ],
        }

    async def _review(self, request: web.Request) -> web.Response:
        review = await request.json()
        answer: Manifest = {"uid": review["request"]["uid"], "allowed": True}
        try:
            self._rules.check(review["request"]["object"])
        except StatusError as error:
            status = error.body()
            # The API server adds the name of the webhook that denied the request.
            status["message"] = error.message.partition("denied the request: ")[2] or error.message
            answer |= {"allowed": False, "status": status}
        return web.json_response(
            {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": answer}
        )
