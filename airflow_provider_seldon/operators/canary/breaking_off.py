"""Abort a canary that ends early: by a verdict, any error, or a user."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_provider_seldon.operators.unfinished import BREAKING_OFF, MOST_RESERVE, RESERVE

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.delivery.canary.lead import Leader, Pause
    from airflow_provider_seldon.delivery.canary.under_way import UnderWay
    from airflow_provider_seldon.exceptions import CanaryAbortedError
    from airflow_provider_seldon.hooks.seldon import SeldonHook


class BrokenOffCanary:
    """
    Mixin of the operator that runs a canary.

    It has no constructor; the attributes are those of the class it is mixed into.
    """

    log: Any
    hook: SeldonHook
    do_xcom_push: bool
    execution_timeout: timedelta | None
    _started: float | None
    #: The canary that this task runs; None before it has begun and after it has ended.
    _leader: Leader | None = None
    #: Verdicts of the steps that have ended; the task's link reads them.
    judged_steps: Sequence[Mapping[str, Any]] = ()

    def deadline(self, *, undoing: bool) -> float:
        """Return when a wait ends; see :class:`~airflow_provider_seldon.operators.unfinished.Unfinished`."""
        return super().deadline(undoing=undoing)  # type: ignore[misc,no-any-return]

    def _task_ends(self) -> float | None:
        """Return when the whole task times out: before ``execution_timeout``, so that it can abort."""
        if not self.execution_timeout:
            return None
        limit = self.execution_timeout.total_seconds()
        return (self._started or time.time()) + limit - min(limit * RESERVE, MOST_RESERVE)

    def _ends_at(self, pause: Pause) -> float:
        """Return when a pause ends at the latest: before ``execution_timeout``."""
        limit = self.execution_timeout
        return self.deadline(undoing=False) if limit and pause.expected else pause.until

    @contextmanager
    def aborted_if_broken_off(self, context: Context) -> Iterator[None]:
        """Abort if the body raises, and add the running version to the error, which is re-raised."""
        from airflow_provider_seldon.exceptions import CanaryAbortedError

        try:
            yield
        except CanaryAbortedError as error:
            self._tell_aborted(context)
            raise self._aborted(error) from None
        except BREAKING_OFF as error:
            self._abort_unwaited(error)
            raise

    @contextmanager
    def aborted_without_leader(self, context: Context, name: str, candidate: str | None) -> Iterator[None]:
        """
        Abort if the body, which determines the leader of the canary, raises; the error is re-raised.

        :param name: name of the deployment.
        :param candidate: revision of the candidate; None if a previous release deferred the task.
        """
        try:
            yield
        except BREAKING_OFF as error:
            self._abort_named(name, error, run=context["ti"].run_id, candidate=candidate)
            raise

    def abort_unanswered(self, find: Callable[[], UnderWay | None], error: BaseException) -> None:
        """
        Abort a canary whose first write was stored although its response was lost. Raises nothing.

        :param find: finds it.
        """
        try:
            canary = find()
        except BREAKING_OFF as problem:
            error.add_note(f"It is unknown whether a canary has begun: {type(problem).__name__}: {problem}")
            return
        if canary is not None:
            lease = canary.lease
            self._abort_named(canary.stored.name, error, run=lease.run, candidate=lease.candidate)

    def _tell_aborted(self, context: Context) -> None:
        from airflow_provider_seldon.delivery.canary.lead import told as tell

        leader = self._leader
        if leader is None:
            return
        self.judged_steps = leader.ending
        told = tell("aborted", leader.ending)
        try:
            if self.do_xcom_push:
                context["ti"].xcom_push(key="canary", value=told)
        except Exception:  # whatever it is, the canary must be aborted
            self.log.exception("The verdicts could not be pushed as XCom canary")

    def _aborted(self, error: CanaryAbortedError) -> CanaryAbortedError:
        """Abort, wait until the baseline has all traffic again, and return the error to raise."""
        from airflow_provider_seldon.core.readiness.outcome import Ending
        from airflow_provider_seldon.delivery.canary.abort import abort, wait_out

        leader = self._leader
        assert leader is not None
        name, lease = leader.canary.stored.name, leader.canary.lease
        try:
            back = abort(self.hook.target, name, run=lease.run, candidate=lease.candidate)
            if back is None:
                return error.amended("It had no candidate any more.")
            outcome = wait_out(self.hook.target, back, deadline=self.deadline(undoing=True))
            if outcome.ending is Ending.READY:
                return error.amended(
                    f"Revision {lease.baseline}, the previous version, has all of the traffic again.",
                    rolled_back_to=lease.baseline,
                )
            return error.amended(
                f"Its predictor is removed, but revision {lease.baseline} is not ready: {outcome.reason}: "
                f"{outcome.message}."
            )
        except BREAKING_OFF as problem:
            return error.amended(
                f"Removing its predictor failed: {type(problem).__name__}: {problem}. The lease expires; "
                "SeldonAbortCanaryOperator removes it."
            )

    def _abort_unwaited(self, error: BaseException) -> None:
        if self._leader is not None:
            name, lease = self._leader.canary.stored.name, self._leader.canary.lease
            self._abort_named(name, error, run=lease.run, candidate=lease.candidate)

    def _abort_named(self, name: str, error: BaseException, *, run: str, candidate: str | None) -> None:
        from airflow_provider_seldon.delivery.canary.abort import abort

        try:
            back = abort(self.hook.target, name, run=run, candidate=candidate)
        except BREAKING_OFF as problem:
            self.log.exception("The canary on %s could not be aborted", name)
            error.add_note(f"The canary on {name} could not be aborted: {problem}")
            return
        if back is not None:
            error.add_note(f"The canary on {name} was aborted; the task did not wait for the result.")

    def _lost(self, name: str) -> NoReturn:
        from airflow_provider_seldon.delivery.canary.under_way import canary_lost

        raise canary_lost(self.hook.namespace, name)
