"""What ends a task between its write and the verdict on it: an error of whatever kind, or the end of its time."""

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

#: What breaks a task off and leaves it time to undo: every error, and the alarm of ``execution_timeout``, which is no
#: ``Exception``. A deferral is none, and neither is a user who ends the task: ``on_kill`` says what is done then.
BREAKING_OFF = (Exception, AirflowTaskTimeout)

#: Parts of ``execution_timeout`` that are kept for what follows a wait, and seconds that they are at most: telling what
#: was wrong and undoing it, or, where that is what is waited for, telling it.
RESERVE, MOST_RESERVE = 0.2, 60.0
RESERVE_UNDOING, MOST_RESERVE_UNDOING = 0.05, 10.0


def leaves_open(error: BaseException) -> bool:
    """Return whether an error leaves open what became of a write; what the API server has refused is not stored."""
    from airflow_provider_seldon.exceptions import SeldonError, ServerUnavailableError

    return isinstance(error, ServerUnavailableError) or not isinstance(
        error, SeldonError | AirflowSkipException
    )


class Unfinished:
    """
    Mixin of the operators that write and wait.

    It has no constructor; the attributes are those of the class that it is mixed into.
    """

    timeout: float
    execution_timeout: timedelta | None
    deferrable: bool
    log: Any
    #: Epoch seconds at which the task's try has begun.
    _started: float | None = None
    _task_instance: Any = None

    def undo(self, rollout: Rollout) -> Rollout | None:
        """Undo a rollout; see :class:`~airflow_provider_seldon.operators.base.SeldonRolloutOperator`."""
        raise NotImplementedError

    def note_start(self, context: Context) -> None:
        """Remember when the task began: Airflow measures ``execution_timeout`` from there, not from the wait."""
        self._task_instance = context["ti"]
        started = getattr(context["ti"], "start_date", None)
        self._started = started.timestamp() if started else time.time()

    def deadline(self, *, undoing: bool) -> float:
        """
        Return the epoch seconds at which a wait ends: before ``execution_timeout`` does, so that what follows has time.

        A rollback that is waited for in the triggerer has its whole ``timeout``: Airflow 3 does not enforce
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
        Undo a rollout, as ``on_failure`` says, when what is inside raises; the error goes on.

        :param failure: of an earlier rollout that this one undoes; then there is nothing further to undo.
        """
        try:
            yield
        except BREAKING_OFF as error:
            if failure is None and rollout.in_flight:
                self.undo_broken_off(rollout, error)
            raise

    def undo_broken_off(self, rollout: Rollout, error: BaseException) -> None:
        """Undo without waiting for it: the task has no time left, or nothing to wait with. Raises nothing."""
        what = f"{type(error).__name__} ended the task before {rollout.name} was known to serve"
        try:
            back = self.undo(rollout)
        except BREAKING_OFF as problem:
            self.log.exception("%s. Undoing what it wrote was not possible", what)
            error.add_note(f"Undoing what was written to {rollout.name} was not possible: {problem}")
            return
        if back is None:
            self.log.error("%s. on_failure leaves nothing to be put back", what)
            return
        self.log.error("%s. Revision %s was put back; it is not waited for", what, back.info.revision)
        error.add_note(
            f"{rollout.name} was put back to revision {back.info.revision}, which was not waited for."
        )
