"""
The only wait: ``judge``, fed by the shared watch.

The trigger, the sensor and the operator that blocks a worker all run this loop; they differ only in the event
loop around it. It decides nothing: it passes what it sees to ``core.readiness.judge``, and reports the
verdict. It changes nothing on the cluster, so it can be cancelled and restarted at any time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable

from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import DEFAULT_POLICY, FailurePolicy
from airflow_provider_seldon.core.readiness.judge import ENDING_INTERVAL, Phase, Verdict, judge
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.core.readiness.routes import asks_for_routes, held_against_routes
from airflow_provider_seldon.core.readiness.stabilization import History
from airflow_provider_seldon.core.resource.status import DeploymentState
from airflow_provider_seldon.core.resource.unstructured import Object, text_at
from airflow_provider_seldon.exceptions import SeldonError, ServerUnavailableError
from airflow_provider_seldon.kube.access.access import ClusterAccess
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.session import ApiSession
from airflow_provider_seldon.kube.watch.fresh_read import LOOK_PAUSE, DirectReads, Snapshot, read_until
from airflow_provider_seldon.kube.watch.informer import Subscription
from airflow_provider_seldon.kube.watch.informer_factory import subscribe
from airflow_provider_seldon.kube.watch.reflector import Tuning
from airflow_provider_seldon.kube.watch.steady_clock import SteadyClock

#: Seconds between two reads of the pods of a child that lacks some.
PODS_INTERVAL = 5.0
#: Seconds for which a read of the server is retried at the deadline of a rollout, while the server does not
#: respond: missing knowledge is no reason to roll back a version that may be ready.
LAST_LOOK = 30.0
#: Seconds after which progress is reported again without a change.
PROGRESS_INTERVAL = 60.0

ENDINGS = {
    Phase.PENDING: Ending.TIMEOUT,
    Phase.READY: Ending.READY,
    Phase.FAILED: Ending.FAILED,
    Phase.DELETED: Ending.DELETED,
    Phase.REPLACED: Ending.REPLACED,
}


async def wait(
    access: ClusterAccess,
    namespace: str,
    name: str,
    *,
    expected: Expectation | None = None,
    deadline: float,
    patience: float = 0.0,
    policy: FailurePolicy = DEFAULT_POLICY,
    on_progress: Callable[[Verdict], None] | None = None,
    history: History | None = None,
    tuning: Tuning | None = None,
    progress_interval: float = PROGRESS_INTERVAL,
) -> Outcome:
    """
    Wait until a deployment is ready, has failed, or the deadline has passed.

    :param access: the cluster and our identity there.
    :param expected: the write to wait for; None waits for the deployment as it is, and for its creation.
    :param deadline: epoch seconds; with one in the past, it checks once, without a watch. It is converted to
        a duration at once, so that an adjusted clock changes nothing. At the deadline the server itself is
        read once more before the wait ends; after a write, that is retried for ``LAST_LOOK`` seconds.
    :param patience: seconds for which it continues after the deadline while there is a condition whose
        duration decides; for a caller that starts over afterwards, and would never see it last.
    :param policy: what fails a rollout.
    :param on_progress: called with every verdict; must not block.
    :param history: state of an earlier wait for the same deployment, to continue.
    :param tuning: times and limits of the watch; for tests.
    :param progress_interval: seconds after which ``on_progress`` is called without a change.
    :raises InvalidModelServerError: the name is invalid.
    :raises SeldonError: the namespace cannot be read, now or later: permissions, credentials, or a missing
        CRD.
    """
    waiter = _Waiter(paths.checked(name), expected, policy, on_progress, history, progress_interval, patience)
    if deadline <= time.time():
        return await waiter.look_once(access, namespace)
    async with subscribe(access, namespace, name, tuning=tuning) as subscription:
        return await waiter.run(subscription, namespace, deadline)


class _Waiter:
    """One wait."""

    def __init__(
        self,
        name: str,
        expected: Expectation | None,
        policy: FailurePolicy,
        on_progress: Callable[[Verdict], None] | None,
        history: History | None,
        progress_interval: float,
        patience: float,
    ) -> None:
        self._name = name
        self._expected = expected or Expectation()
        self._until_exists = expected is None
        self._policy = policy
        self._on_progress = on_progress
        self._history = history
        self._progress_interval = progress_interval
        self._patience = patience
        self._pods_at = 0.0
        self._clock = SteadyClock()

    async def look_once(self, access: ClusterAccess, namespace: str) -> Outcome:
        """Return the current outcome."""
        until = self._clock() + (0.0 if self._until_exists else LAST_LOOK)
        session = ApiSession(access)
        reads = DirectReads(session=session, namespace=namespace, name=self._name)
        try:
            while True:
                try:
                    return await self._look_directly(reads, namespace)
                except ServerUnavailableError:
                    if self._clock() + LOOK_PAUSE > until:
                        raise
                    await asyncio.sleep(LOOK_PAUSE)
        finally:
            await session.close()

    async def _look_directly(self, reads: DirectReads, namespace: str) -> Outcome:
        seen = await reads.fresh_snapshot()
        verdict = self.judge(seen, None)
        if (
            verdict.final
            and verdict.wants_pods
            and (pods := await reads.pods(seen.children or [])) is not None
        ):
            verdict = self.judge(seen, pods)
        verdict = await self._hold_against_routes(seen, verdict, reads)
        self.tell(verdict)
        return self.outcome(namespace, verdict, seen)

    async def run(self, subscription: Subscription, namespace: str, deadline: float) -> Outcome:
        """Continue until there is a final verdict, or the deadline."""
        deadline += self._clock() - time.time()  # the steady clock's
        # While it sleeps, a wait keeps no snapshot: there may be thousands of waits.
        while not isinstance(step := await self._step(subscription, namespace, deadline), Outcome):
            await subscription.changed(step)
        return step

    async def _step(self, subscription: Subscription, namespace: str, deadline: float) -> Outcome | float:
        """Return how the wait ended, or for how many seconds to wait for a change."""
        seen = subscription.snapshot()
        if seen is None:
            verdict = self._nothing_yet(subscription)
        else:
            seen, verdict = await self._judge_and_look_closer(seen, subscription)
            verdict = await self._hold_against_routes(seen, verdict, subscription)
        if self._patience and _is_timing(verdict):
            deadline += self._patience
        if verdict.phase is not Phase.READY and (verdict.final or self._clock() >= deadline):
            seen, verdict = await self._confirm(seen, verdict, subscription, deadline)
        self.tell(verdict)
        now = self._clock()
        if verdict.final or now >= deadline:
            return self.outcome(namespace, verdict, seen)
        return self._pause(verdict, now, deadline, subscription.company)

    def judge(self, seen: Snapshot, pods: list[Object] | None) -> Verdict:
        """Evaluate, and keep the history."""
        if seen.deployment is None and self._until_exists:
            verdict = _pending("NotFound", "there is no such SeldonDeployment yet")
        else:
            verdict = judge(
                seen.deployment,
                seen.children,
                pods,
                expected=self._expected,
                now=self._clock(),
                history=self._history,
                policy=self._policy,
            )
            self._history = verdict.history
        return verdict

    def tell(self, verdict: Verdict) -> None:
        """Report progress."""
        if self._on_progress is not None:
            self._on_progress(verdict)

    def outcome(self, namespace: str, verdict: Verdict, seen: Snapshot | None) -> Outcome:
        """Return how the wait ended; a verdict that is not final means a timeout."""
        deployment = seen.deployment if seen else None
        state = DeploymentState.of(text_at(deployment, "status", "state")).value if deployment else ""
        return Outcome(
            ending=ENDINGS[verdict.phase],
            name=self._name,
            namespace=namespace,
            reason=verdict.reason,
            message=verdict.message,
            state=state,
            weaker=verdict.weaker,
        )

    async def _judge_and_look_closer(
        self, seen: Snapshot, subscription: Subscription
    ) -> tuple[Snapshot, Verdict]:
        verdict = self.judge(seen, None)
        now = time.monotonic()
        if verdict.final and verdict.wants_pods:
            return await self._make_certain(seen, verdict, subscription)
        if not verdict.wants_pods or now - self._pods_at < PODS_INTERVAL:
            return seen, verdict
        self._pods_at = now
        pods = await subscription.pods(seen.children or [])
        if pods is None:
            return seen, verdict
        # Time has passed: an old state of a child must not be combined with a new one of its pods.
        seen = subscription.snapshot() or seen
        return seen, self.judge(seen, pods)

    async def _hold_against_routes(
        self, seen: Snapshot, verdict: Verdict, subscription: Subscription | DirectReads
    ) -> Verdict:
        """Read the ingress' routes before their change counts; retry while the server does not respond."""
        manifest = seen.deployment
        if manifest is None or not asks_for_routes(manifest, self._expected, verdict):
            return verdict
        try:
            routes = await subscription.routes()
        except SeldonError as error:
            return dataclasses.replace(
                _pending("RoutesUnknown", f"the routes of the ingress cannot be read: {error}"),
                history=verdict.history,
                recheck_at=self._clock() + LOOK_PAUSE,
            )
        return held_against_routes(verdict, manifest, routes, expected=self._expected, now=self._clock())

    async def _make_certain(
        self, seen: Snapshot, verdict: Verdict, subscription: Subscription
    ) -> tuple[Snapshot, Verdict]:
        """Read the pods before reporting that there are none; without permission, the verdict is weaker."""
        pods = await subscription.pods(seen.children or [], age=ENDING_INTERVAL)
        if pods is None:
            return seen, verdict
        seen = subscription.snapshot() or seen
        return seen, self.judge(seen, pods)

    async def _confirm(
        self, seen: Snapshot | None, verdict: Verdict, subscription: Subscription, deadline: float
    ) -> tuple[Snapshot | None, Verdict]:
        """
        Read the server itself before the wait ends without success.

        A watch lags behind: right after a write it may still show the previous state, or nothing; and a watch
        without its peer shows the state at the disconnect. If the server does not respond, a failed verdict
        waits for it until the deadline.
        """
        over = self._clock() >= deadline
        until = deadline + (0.0 if self._until_exists else LAST_LOOK) if over else 0.0
        stored = await read_until(subscription.fresh_snapshot, until, clock=self._clock, name=self._name)
        if stored is None:
            return seen, verdict if over else self._unconfirmed(verdict)
        verdict = self.judge(stored, None)
        if verdict.wants_pods and (pods := await subscription.pods(stored.children or [])) is not None:
            verdict = self.judge(stored, pods)
        return stored, verdict

    def _unconfirmed(self, verdict: Verdict) -> Verdict:
        message = f"the API server has not confirmed this yet: {verdict.message}"
        return dataclasses.replace(
            _pending(verdict.reason, message), history=verdict.history, recheck_at=self._clock() + LOOK_PAUSE
        )

    def _nothing_yet(self, subscription: Subscription) -> Verdict:
        trouble = subscription.trouble
        return _pending(
            "ServerUnavailable" if trouble else "Connecting",
            trouble or "reading the namespace for the first time",
        )

    def _pause(self, verdict: Verdict, now: float, deadline: float, company: int) -> float:
        """
        Return the maximum time to wait for a change.

        Thousands of waits tend to have the same due times; each adds its own small delay.
        """
        due = now + self._progress_interval
        if verdict.recheck_at is not None:
            due = min(due, verdict.recheck_at)
        if verdict.wants_pods:
            due = min(due, now + PODS_INTERVAL)
        spread = random.uniform(0.0, min(2.0, 0.001 * company))
        return min(deadline, max(due, now + 0.05) + spread) - now


def _is_timing(verdict: Verdict) -> bool:
    """Return whether a condition was seen whose duration decides; of pods, until they are read again."""
    return verdict.recheck_at is not None or any(key.startswith("pod:") for key in verdict.history.since)


def _pending(reason: str, message: str) -> Verdict:
    return Verdict(phase=Phase.PENDING, reason=reason, message=message, progress=message)
