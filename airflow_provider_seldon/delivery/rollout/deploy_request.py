"""The request for a deploy, as one value from the operator to the cluster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.delivery.rollout.handoff import new_mark

if TYPE_CHECKING:
    from airflow_provider_seldon.core.identity.identity import Identity
    from airflow_provider_seldon.core.request.model_server import ModelServer
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.core.rollout.decision import Assess, Evidence
    from airflow_provider_seldon.core.rollout.fence import OrderToken
    from airflow_provider_seldon.core.rollout.plan import Adopt, OnNegative, OnNegativeEmpty


@dataclass(frozen=True, kw_only=True)
class DeployRequest:
    """
    What to deploy, for which task, and how.

    The fields are the arguments of :meth:`SeldonHook.deploy_model
    <airflow_provider_seldon.hooks.seldon.SeldonHook.deploy_model>`, which describes them and has their defaults.

    :param mark: distinguishes its write from every other.
    :param assess: queries Prometheus for a decision on the running version.
    """

    server: ModelServer
    identity: Identity
    deploy: Any = True
    replace: bool = True
    metrics: Mapping[str, float] | None = None
    force_conflicts: bool = False
    adopt: Adopt = False
    order: OrderToken | None = None
    fence: bool = True
    on_negative: OnNegative = "ensure_running"
    on_negative_empty: OnNegativeEmpty = "deploy"
    retry: bool = False
    drop_unknown_fields: bool = False
    mark: str = field(default_factory=new_mark)
    ttl: float | None = None
    assess: Assess | None = field(default=None, repr=False, compare=False)

    def evidence(self, existing: Sequence[SeldonDeployment], *, now: float) -> Evidence:
        """
        Return the evidence for the decision.

        :param existing: the equivalents, newest first.
        :param now: epoch seconds.
        """
        from airflow_provider_seldon.core.rollout.decision import Evidence

        return Evidence.of(self.metrics or {}, existing, now=now, assess=self.assess)
