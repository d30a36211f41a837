"""What a reaper did, and what it left, as the task returns it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.identity.identity import Identity

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment


@dataclass(kw_only=True)
class Report:
    """
    The actions: each list has an entry for each deployment, with the reason.

    :param dry_run: nothing was stored.
    :param terms: the arguments of the reaper: ``connection``, ``namespaces``, ``grace``, ``orphans``, and
        under ``only`` the filters. The fleet page uses them to show planned actions and their reaper.
    """

    dry_run: bool
    aborted: list[dict[str, str]] = field(default_factory=list)
    deleted: list[dict[str, str]] = field(default_factory=list)
    marked: list[dict[str, str]] = field(default_factory=list)
    cleared: list[dict[str, str]] = field(default_factory=list)
    orphans: list[dict[str, str]] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    errors: list[dict[str, str]] = field(default_factory=list)
    terms: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON data."""
        return dict(vars(self))


def entry(namespace: str, deployment: SeldonDeployment, reason: str) -> dict[str, str]:
    """Return a report's entry for a deployment."""
    identity = Identity.of(deployment)
    return {
        "namespace": namespace,
        "name": deployment.name,
        "uid": deployment.uid,
        "model_name": identity.model_name,
        "dag_id": identity.dag_id,
        "task_id": identity.task_id,
        "run_id": identity.run_id,
        "reason": reason,
    }
