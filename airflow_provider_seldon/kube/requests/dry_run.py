"""
A client that writes nothing: it uses the API server's dry run for every write, and records the changes.

The server does everything except storing: defaults, schema, admission webhooks, field ownership,
preconditions. The transport enforces this, so that no caller can forget it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.diff import difference
from airflow_provider_seldon.exceptions import DeploymentNotFoundError
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.requests.transport import Transport


class DryRunTransport(Transport):
    """Requests a dry run for every request that is not a GET."""

    def request(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: Any = None, **form: Any
    ) -> dict[str, Any]:
        """Send one request; see ``Transport``."""
        if method == "DELETE" and body is not None:
            # The server ignores the query of a DELETE with a body.
            body = {**body, "dryRun": ["All"]}
        elif method != "GET":
            query = {**(query or {}), "dryRun": "All"}
        return super().request(method, path, query=query, body=body, **form)


class DryRunClient(SeldonClient):
    """Like ``SeldonClient``, but stores nothing, waits for nothing, and records what would have changed."""

    transport_class = DryRunTransport

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._changes: dict[str, tuple[SeldonDeployment | None, SeldonDeployment | None]] = {}

    @property
    def changes(self) -> str:
        """What would have changed: a unified diff for each deployment that would have been written or deleted."""
        found = (difference(before, after) for before, after in self._changes.values())
        return "\n".join(text for text in found if text)

    def apply(self, deployment: SeldonDeployment, **options: Any) -> SeldonDeployment:
        """Let the server check an apply; see ``SeldonClient.apply``."""
        before = self._present(deployment.name)
        after = super().apply(deployment, **options)
        self._changes[deployment.name] = (before, after)
        return after

    def annotate(self, name: str, annotations: Mapping[str, str | None], **options: Any) -> SeldonDeployment:
        """Let the server check it, and return the stored object, on which a following apply is based."""
        after = super().annotate(name, annotations, **options)
        before = self.get(name)
        self._changes.setdefault(name, (before, after))
        return before

    def delete(self, name: str, **options: Any) -> bool:
        """Let the server check a deletion; see ``SeldonClient.delete``."""
        before = self._present(name)
        found = super().delete(name, **options)
        if found:
            self._changes[name] = (before, None)
        return found

    def wait_until_deleted(self, name: str, *, uid: str | None = None, timeout: float = 300.0) -> None:
        """Return at once: nothing was deleted."""

    def _present(self, name: str) -> SeldonDeployment | None:
        try:
            return self.get(name)
        except DeploymentNotFoundError:
            return None
