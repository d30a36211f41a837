"""Waiting by asking again and again; the simple form of ``waiting``."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_seldon.core.expectation import Expectation, History
from airflow_provider_seldon.core.failure import DEFAULT_POLICY, FailurePolicy
from airflow_provider_seldon.core.outcome import Ending, Outcome
from airflow_provider_seldon.core.readiness import Phase, Verdict, judge
from airflow_provider_seldon.exceptions import DeploymentNotFoundError, ForbiddenError
from airflow_provider_seldon.kube.client import SeldonClient

INTERVAL = 1.0


def poll(
    client: SeldonClient,
    name: str,
    *,
    expected: Expectation,
    deadline: float,
    policy: FailurePolicy = DEFAULT_POLICY,
    on_progress: Callable[[Verdict], None] | None = None,
    until_exists: bool = False,
) -> Outcome:
    history: History | None = None
    pods = None
    while True:
        now = time.time()
        try:
            deployment = client.get(name)
        except DeploymentNotFoundError:
            deployment = None
        try:
            children = client.children(name)
        except ForbiddenError:
            children = None
        if deployment is None and until_exists:
            if now >= deadline:
                return Outcome(
                    ending=Ending.TIMEOUT,
                    name=name,
                    namespace=client.namespace,
                    reason="NotFound",
                    message=f"There is no SeldonDeployment {client.namespace}/{name}",
                )
            time.sleep(INTERVAL)
            continue
        verdict = judge(
            deployment, children, pods, expected=expected, now=now, history=history, policy=policy
        )
        history = verdict.history
        if on_progress:
            on_progress(verdict)
        if verdict.final or now >= deadline:
            ending = {
                Phase.PENDING: Ending.TIMEOUT,
                Phase.READY: Ending.READY,
                Phase.FAILED: Ending.FAILED,
                Phase.DELETED: Ending.DELETED,
                Phase.REPLACED: Ending.REPLACED,
            }[verdict.phase]
            return Outcome(
                ending=ending,
                name=name,
                namespace=client.namespace,
                reason=verdict.reason,
                message=verdict.message,
                state=deployment.state.value if deployment else "",
            )
        pods = client.pods.of_deployment(name) if verdict.wants_pods else None
        time.sleep(max(0.0, min(INTERVAL, deadline - now)))
