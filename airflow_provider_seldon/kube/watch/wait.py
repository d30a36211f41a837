"""
The one wait: the judge, fed by the shared watch.

The trigger, the sensor and the operator that blocks a worker all run this loop; they differ only in the event loop
around it. It decides nothing: what is seen goes to ``core.readiness.judge``, and what that says is told on. It changes
nothing on the cluster, so it may be cancelled and begun again at any time.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
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
from airflow_provider_seldon.kube.watch.fresh_read import DirectReads, Snapshot
from airflow_provider_seldon.kube.watch.informer import Subscription
from airflow_provider_seldon.kube.watch.informer_factory import subscribe
from airflow_provider_seldon.kube.watch.reflector import Tuning
from airflow_provider_seldon.kube.watch.steady_clock import SteadyClock

log = logging.getLogger(__name__)

#: Seconds between two looks at the pods of a child that lacks some.
PODS_INTERVAL = 5.0
#: Seconds for one look at the server itself; and for which one is tried again at the end of a rollout's time, while
#: the server does not answer: to know nothing is no reason to roll back what may serve.
LOOK_TIMEOUT = 10.0
LAST_LOOK = 30.0
#: Seconds between two tries of it at most.
LOOK_PAUSE = 4.0
#: Seconds after which progress is told again although nothing has changed.
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
    Wait until a deployment serves, is known not to, or the time is over.

    :param access: the cluster and who we are there.
    :param expected: the write that is waited for; None waits for whatever is deployed, and for its coming into being.
    :param deadline: epoch seconds; one that is over means: look once, without a watch. It is made a time to wait at
        once: a clock that is set meanwhile changes nothing. At the deadline it looks once more, at the server itself,
        before it gives up; where something was written, that is tried for ``LAST_LOOK`` seconds.
    :param patience: seconds for which it goes on after the deadline while something is seen that only its duration
        tells good or bad; for a caller that begins anew afterwards, and would never see it last.
    :param policy: what fails a rollout.
    :param on_progress: called with every verdict; must not block.
    :param history: state of an earlier wait for the same deployment, to go on with.
    :param tuning: how patient the watch is; for tests.
    :param progress_interval: seconds after which ``on_progress`` is called although nothing has changed.
    :raises InvalidModelServerError: the name is none.
    :raises SeldonError: the namespace cannot be read, now or later: rights, credentials, or a missing CRD.
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
        """Return how it looks this moment."""
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
        """Go on until there is a final verdict, or the deadline."""
        deadline += self._clock() - time.time()  # the steady clock's
        # While it sleeps, a wait holds nothing of what it saw: there may be thousands.
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
        """Judge, and remember."""
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
        """Tell whoever follows the wait."""
        if self._on_progress is not None:
            self._on_progress(verdict)

    def outcome(self, namespace: str, verdict: Verdict, seen: Snapshot | None) -> Outcome:
        """Return how the wait ended; a verdict that is not final stands for the time being over."""
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
        # Time has passed: old news of a child must not be put together with new ones of its pods.
        seen = subscription.snapshot() or seen
        return seen, self.judge(seen, pods)

    async def _hold_against_routes(
        self, seen: Snapshot, verdict: Verdict, subscription: Subscription | DirectReads
    ) -> Verdict:
        """Read the ingress's routes before a change of them counts; a server that does not answer is asked again."""
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
        """Look at the pods before telling that there is none; without the right to, the verdict says so."""
        pods = await subscription.pods(seen.children or [], age=ENDING_INTERVAL)
        if pods is None:
            return seen, verdict
        seen = subscription.snapshot() or seen
        return seen, self.judge(seen, pods)

    async def _confirm(
        self, seen: Snapshot | None, verdict: Verdict, subscription: Subscription, deadline: float
    ) -> tuple[Snapshot | None, Verdict]:
        """
        Ask the server itself before anything is given up.

        A watch lags behind: right after a write it may still show what was there before, or nothing; and one whose
        other side is gone shows what was there when it went. Where the server does not answer, a bad verdict waits for
        it until the deadline.
        """
        over = self._clock() >= deadline
        until = deadline + (0.0 if self._until_exists else LAST_LOOK) if over else 0.0
        stored = await self._look(subscription, until)
        if stored is None:
            return seen, verdict if over else self._unconfirmed(verdict)
        verdict = self.judge(stored, None)
        if verdict.wants_pods and (pods := await subscription.pods(stored.children or [])) is not None:
            verdict = self.judge(stored, pods)
        return stored, verdict

    async def _look(self, subscription: Subscription, until: float) -> Snapshot | None:
        pause = LOOK_PAUSE / 8
        while True:
            try:
                async with asyncio.timeout(LOOK_TIMEOUT):
                    return await subscription.fresh_snapshot()
            except (SeldonError, ValueError, TimeoutError) as error:
                log.debug("%s cannot be looked at: %s", self._name, error)
            if self._clock() + pause > until:
                return None
            await asyncio.sleep(pause)
            pause = min(LOOK_PAUSE, pause * 2)

    def _unconfirmed(self, verdict: Verdict) -> Verdict:
        message = f"the API server does not confirm yet: {verdict.message}"
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
        Return how long to wait for a change, at most.

        Thousands of waits tend to have the same times in mind; each takes its own a little later.
        """
        due = now + self._progress_interval
        if verdict.recheck_at is not None:
            due = min(due, verdict.recheck_at)
        if verdict.wants_pods:
            due = min(due, now + PODS_INTERVAL)
        spread = random.uniform(0.0, min(2.0, 0.001 * company))
        return min(deadline, max(due, now + 0.05) + spread) - now


def _is_timing(verdict: Verdict) -> bool:
    """Whether something was seen that only its duration tells good or bad; of pods, until they are looked at again."""
    return verdict.recheck_at is not None or any(key.startswith("pod:") for key in verdict.history.since)


def _pending(reason: str, message: str) -> Verdict:
    return Verdict(phase=Phase.PENDING, reason=reason, message=message, progress=message)
