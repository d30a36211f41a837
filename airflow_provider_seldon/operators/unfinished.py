"""Undo a rollout when an error or a timeout ends the task between its write and the verdict on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException, AirflowTaskTimeout

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.readiness.outcome import Outcome
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout

#: The exceptions that interrupt a task and leave it time to undo: every error, and the alarm of
#: ``execution_timeout``, which is not an ``Exception``. A deferral does not count, and neither does a user
#: who stops the task: ``on_kill`` decides then.
BREAKING_OFF = (Exception, AirflowTaskTimeout)

#: Parts of ``execution_timeout`` that are reserved for the work after a wait, and their maximum in seconds:
#: to report the failure and undo it or, when the wait is for an undo, to report it.
RESERVE, MOST_RESERVE = 0.2, 60.0
RESERVE_UNDOING, MOST_RESERVE_UNDOING = 0.05, 10.0


def leaves_open(error: BaseException) -> bool:
    """Return whether a write may be stored despite an error; one that the API server refused is not."""
    from airflow_provider_seldon.exceptions import SeldonError, ServerUnavailableError

    return isinstance(error, ServerUnavailableError) or not isinstance(
        error, SeldonError | AirflowSkipException
    )


class Unfinished:
    """
    Mixin of the operators that write and wait.

    It has no constructor; the attributes are those of the class it is mixed into.
    """

    timeout: float
    execution_timeout: timedelta | None
    deferrable: bool
    log: Any
    #: Start of the task's try, in epoch seconds.
    _started: float | None = None
    _task_instance: Any = None

    def undo(self, rollout: Rollout) -> Rollout | None:
        """Undo a rollout; see :class:`~airflow_provider_seldon.operators.base.SeldonRolloutOperator`."""
        raise NotImplementedError

    def note_start(self, context: Context) -> None:
        """Record when the task started: Airflow counts ``execution_timeout`` from there, not the wait."""
        self._task_instance = context["ti"]
        started = getattr(context["ti"], "start_date", None)
        self._started = started.timestamp() if started else time.time()

    def deadline(self, *, undoing: bool) -> float:
        """
        Return the deadline of a wait in epoch seconds: before ``execution_timeout``, to leave time for the
        work after it.

        The wait for a rollback in the triggerer gets the full ``timeout``: Airflow 3 does not enforce
        ``execution_timeout`` there.
        """
        now = time.time()
        deadline = now + self.timeout
        if not self.execution_timeout or (undoing and self.deferrable):
            return deadline
        limit = self.execution_timeout.total_seconds()
        part, most = (RESERVE_UNDOING, MOST_RESERVE_UNDOING) if undoing else (RESERVE, MOST_RESERVE)
        end = (self._started or now) + limit - min(limit * part, most)
        return min(deadline, max(now, end))

    @contextmanager
    def undone_if_broken_off(self, rollout: Rollout, *, failure: Outcome | None = None) -> Iterator[None]:
        """
        Undo a rollout according to ``on_failure`` if the body raises; the error is re-raised.

        :param failure: outcome of the failed rollout that this one undoes; then there is nothing more to
            undo.
        """
        try:
            yield
        except BREAKING_OFF as error:
            if failure is None and rollout.in_flight:
                self.undo_broken_off(rollout, error)
            raise

    def undo_broken_off(self, rollout: Rollout, error: BaseException) -> None:
        """Undo without waiting for the result: the task has no time left, or cannot wait. Raises nothing."""
        what = f"{type(error).__name__} ended the task before {rollout.name} was ready"
        try:
            back = self.undo(rollout)
        except BREAKING_OFF as problem:
            self.log.exception("%s. Undoing its write failed", what)
            error.add_note(f"Undoing the write to {rollout.name} failed: {problem}")
            return
        if back is None:
            self.log.error("%s. on_failure leaves nothing to restore", what)
            return
        self.log.error(
            "%s. Revision %s was restored; the task does not wait for it", what, back.info.revision
        )
        error.add_note(
            f"{rollout.name} was rolled back to revision {back.info.revision}; the task did not wait for it."
        )
