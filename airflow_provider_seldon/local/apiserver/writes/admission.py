"""The validating webhook of Seldon Core, in front of writes to SeldonDeployments.

Purpose: refuse the same writes as the real webhook, with its messages in the API server's format
(Seldon Core reference, admission; ``failurePolicy: Fail``). The rules are in ``core/request/validation.py``.
Like the real one it is not called for writes to the status or the scale.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from pydantic import ValidationError

from airflow_provider_seldon.core.invalid_request import Problem
from airflow_provider_seldon.core.request.validation import PREPACKAGED_SERVERS, admission_message, validate
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.local.apiserver.objects.store import Manifest
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo

NAME = "v1.vseldondeployment.kb.io"
DOWN, OFF = "down", "off"
# Misspelt in Seldon Core, too.
_GROUP = "machinelearing.seldon.io"
_SERVICE = "https://seldon-webhook-service.seldon-system.svc:443/validate-machinelearning-seldon-io-v1-seldondeployment"


class AdmissionWebhook:
    """
    Checks SeldonDeployments before they are stored.

    :param enabled: Whether it is active; may be changed while the server is running.
    :param known_servers: Prepackaged servers in the operator's configuration.
    """

    def __init__(
        self, *, enabled: bool = True, known_servers: Collection[str] | None = PREPACKAGED_SERVERS
    ) -> None:
        self.enabled = enabled
        self.known_servers = known_servers

    def __call__(self, info: RequestInfo, new: Manifest, old: Manifest | None) -> None:
        """
        Accept a write, or refuse it.

        :raises StatusError: 422 with the webhook's message, or 500 if a fault makes the webhook unavailable.
        """
        if not info.resource.custom or info.subresource:
            return
        if info.webhook == DOWN:
            raise unreachable()
        if self.enabled and info.webhook != OFF:
            self.check(new)

    def check(self, manifest: Manifest) -> None:
        """
        Apply the rules to an object.

        :raises StatusError: 422 with the webhook's message."""
        try:
            deployment = SeldonDeployment.from_manifest(manifest)
        except (ValidationError, ValueError):
            # The webhook's decoder would fail; the schema has already reported the error.
            return
        if deployment.spec is None:
            return
        problems = validate(deployment, known_servers=self.known_servers)
        message = admission_message(problems, deployment)
        if message:
            raise status.StatusError(
                code=422, reason="Invalid", message=message, details=_details(manifest, problems)
            )


def unreachable() -> status.StatusError:
    """Return the API server's error while the webhook does not respond."""
    return status.internal_error(
        f'failed calling webhook "{NAME}": failed to call webhook: Post "{_SERVICE}?timeout=10s": '
        "dial tcp 10.96.0.17:443: connect: connection refused"
    )


def _details(manifest: Manifest, problems: Sequence[Problem]) -> dict[str, Any]:
    name = (manifest.get("spec") or {}).get("name")
    causes = []
    for text in dict.fromkeys(problem.cause for problem in problems if problem.admission and problem.cause):
        field, _, message = text.partition(": ")
        causes.append(status.cause(reason="FieldValueInvalid", message=message, field=field))
    return ({"name": name} if name else {}) | {"group": _GROUP, "kind": "SeldonDeployment", "causes": causes}
