"""Base of the operators that deploy, roll back and scale: one write, then the wait until it is ready."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_provider_seldon.core.request import argument_rules
from airflow_provider_seldon.links.deployment import LINKS
from airflow_provider_seldon.operators.asset_events import AssetEvents
from airflow_provider_seldon.operators.lineage import Lineage
from airflow_provider_seldon.operators.unfinished import BREAKING_OFF, Unfinished
from airflow_provider_seldon.triggers.deferral import SeldonTask

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_seldon.core.readiness.outcome import Outcome
    from airflow_provider_seldon.core.rollout.fence import OrderToken
    from airflow_provider_seldon.delivery.rollout.handoff import Rollout
    from airflow_provider_seldon.exceptions import RolloutError, StaleRunError


class SeldonRolloutOperator(Unfinished, AssetEvents, Lineage, SeldonTask, BaseOperator):
    """
    Base of the operators that write to a deployment and wait for it, on a worker or in the triggerer.

    A subclass writes in ``execute`` and passes the rollout to :meth:`wait_for`. When the rollout fails,
    :meth:`undo` is called, and the task waits for the result of that too before it fails.

    An asset among the ``outlets``, or an asset alias, gets an event once a version is proven ready; see
    :mod:`airflow_provider_seldon.operators.asset_events`.

    :param namespace: namespace; defaults to the connection's.
    :param seldon_conn_id: Airflow connection of type ``seldon`` or ``kubernetes``.
    :param timeout: seconds to wait; a rollback gets the same time again. ``execution_timeout`` applies too,
        also while the task is deferred, where Airflow itself does not enforce it.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param failure_policy: what fails a rollout before the timeout, where that differs from the defaults:
        fields of :class:`~airflow_provider_seldon.core.readiness.failure_policy.FailurePolicy`.
    :param on_kill: what happens to a rollout when a user stops its task: ``keep`` lets it continue;
        ``rollback`` restores the version that was last ready; ``delete`` deletes the deployment if this run
        created it, and rolls back otherwise. Only the task's own writes are undone. While the task is
        deferred, this needs Airflow 3.3.
    :param dry_run: write nothing and wait for nothing. The API server checks the write, webhooks included,
        and the task logs and returns the changes as ``diff``. ``action`` is then, for example, ``dry-run
        (updated)``, and ``dry_run`` is true.
    """

    operator_extra_links = LINKS
    rules = argument_rules.of(
        *("namespace", "seldon_conn_id", "timeout", "deferrable", "failure_policy", "on_kill", "dry_run")
    )

    def __init__(
        self,
        *,
        namespace: str | None = None,
        seldon_conn_id: str = "seldon_default",
        timeout: float = 600.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        failure_policy: Mapping[str, Any] | None = None,
        on_kill: Literal["keep", "rollback", "delete"] = "keep",
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.namespace = namespace
        self.seldon_conn_id = seldon_conn_id
        self.timeout = timeout
        self.deferrable = deferrable
        self.failure_policy = failure_policy
        # ``on_kill`` itself is the method that Airflow calls.
        self.kill_action = on_kill
        self.is_dry_run = dry_run
        self._waited_for: Rollout | None = None
        self.check_literals()

    def wait_for(self, rollout: Rollout, failure: Outcome | None = None) -> dict[str, Any]:
        """
        Wait until a rollout is ready, complete it, and return the task's result.

        :param failure: outcome of the failed rollout that this one undoes; it is raised at the end.
        """
        if self.is_dry_run:
            return self.dry_run_result(rollout)
        self.note(rollout, undoing=failure is not None)
        deadline = self.deadline(undoing=failure is not None)
        with self.undone_if_broken_off(rollout, failure=failure):
            if self.deferrable:
                self.defer_until(
                    deadline,
                    name=rollout.name,
                    expected=rollout.expected.to_json(),
                    handoff={**rollout.to_json(), "failure": failure.to_json() if failure else None},
                    kill_action=None if failure or self.kill_action == "keep" else self.kill_action,
                )
            self._waited_for = None if failure else rollout
            outcome = self.hook.wait_for(
                rollout.name, expected=rollout.expected, deadline=deadline, failure_policy=self.failure_policy
            )
        return self._finish(rollout, outcome, failure)

    def announce_write(self, context: Context, rollout: Rollout) -> None:
        """Announce the write; any error after this undoes it."""
        self.note_start(context)
        with self.undone_if_broken_off(rollout):
            self.announce(context, rollout.info)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Resume after the deferral with the trigger's event."""
        from airflow_provider_seldon.core.readiness.outcome import Outcome
        from airflow_provider_seldon.delivery.rollout.handoff import Rollout

        self.note_start(context)
        outcome = Outcome.from_json(event)
        self.namespace = outcome.namespace
        handoff = event["handoff"]
        failure = Outcome.from_json(handoff["failure"]) if handoff.get("failure") else None
        rollout = Rollout.from_json(handoff)
        self.announced = rollout.info
        self.note(rollout, undoing=failure is not None)
        if outcome.ending.is_good:
            with self.undone_if_broken_off(rollout, failure=failure):
                outcome = self._looked_again(rollout, outcome)
        return self._finish(rollout, outcome, failure)

    def on_kill(self) -> None:
        """Apply the argument ``on_kill``; Airflow calls this on the worker."""
        if self.kill_action != "keep" and self._waited_for:
            self.hook.undo(self._waited_for, delete_created=self.kill_action == "delete")

    def verify(self, rollout: Rollout, outcome: Outcome) -> Outcome:
        """Verify a rollout that became ready, before older versions are deleted; return its final outcome."""
        return outcome

    def undo(self, rollout: Rollout) -> Rollout | None:
        """Undo a rollout that failed; return the rollout to wait for, or None."""
        return None

    def note(self, rollout: Rollout, *, undoing: bool = False) -> None:
        """Record the rollout for asset events and lineage; of an undo, record only the deployment's name."""
        self._deployment = (rollout.info.namespace, rollout.name)
        if not undoing:
            self._rollout = rollout

    def result(self, rollout: Rollout) -> dict[str, Any]:
        """Log and return the task's result."""
        self.note(rollout)
        info = rollout.info
        self.log.info(
            "%s/%s, %s by this run: %s",
            info.namespace,
            info.name,
            info.action,
            info.prediction_url or info.state,
        )
        return {**info.to_dict(), **_expires(rollout)}

    def dry_run_result(self, rollout: Rollout) -> dict[str, Any]:
        """Log and return what a dry run would have done."""
        info, diff, superseded = rollout.info, self.hook.dry_run_changes(), sorted(rollout.superseded)
        self.log.info(
            "Dry run: %s/%s would be %s. Nothing was written.", info.namespace, info.name, info.action
        )
        if superseded:
            self.log.info("Once it is ready, %s would be deleted.", ", ".join(superseded))
        self.log.info("%s", diff or "There are no differences that a user would see.")
        action = f"dry-run ({info.action})"
        told = {"action": action, "dry_run": True, "diff": diff, "superseded": superseded}
        return {**info.to_dict(), **_expires(rollout), **told}

    def order(self, context: Context) -> OrderToken | None:
        """
        Return the place of this task's run in the order of runs: the time for which it was scheduled.

        A run that is scheduled for later than now counts from its start.
        """
        from airflow_provider_seldon.core.rollout.fence import OrderToken, meant_for

        run = context["dag_run"]
        moments = ("run_after", "data_interval_end", "logical_date")
        now = datetime.now(UTC)
        moment = meant_for(**{name: getattr(run, name, None) for name in moments}, now=now)
        if moment is None:
            return None
        token = OrderToken.of(moment, run.run_id)
        started = getattr(run, "start_date", None)
        # The start, so that every try gets the same place.
        return token.at_most(min(now, started or now)) if token.at_most(now) != token else token

    def stale(self, error: StaleRunError) -> None:
        """Handle a deploy of a newer run while this one waited: raise the exception that ends the task."""
        raise error

    def _looked_again(self, rollout: Rollout, ready: Outcome) -> Outcome:
        """Return the outcome as of now: the trigger's event is as old as the task waited for a worker."""
        outcome = self.hook.still_serves(rollout, ready)
        if outcome is not None:
            return outcome
        return self.hook.wait_for(
            rollout.name,
            expected=rollout.expected,
            deadline=self.deadline(undoing=False),
            failure_policy=self.failure_policy,
        )

    def _finish(self, rollout: Rollout, outcome: Outcome, failure: Outcome | None) -> dict[str, Any]:
        """End the wait; a run that a newer run has replaced meanwhile did not fail, it is stale."""
        from airflow_provider_seldon.exceptions import RolloutError

        try:
            return self._end(rollout, outcome, failure)
        except RolloutError as error:
            newer = self.hook.overtaken(rollout) if failure is None and not error.rolled_back_to else None
            if newer is not None:
                self.log.info("%s", error)
                self.stale(newer)
            self._tell_failure(error)
            raise

    def _tell_failure(self, error: RolloutError) -> None:
        """Push the reason of the failure, for the fleet page; the log has the full diagnosis."""
        first, _, _ = str(error).partition("\n")
        if self.do_xcom_push:
            # No other error may hide this one.
            with contextlib.suppress(Exception):
                self._task_instance.xcom_push(key="failure", value=first[:500])

    def _end(self, rollout: Rollout, outcome: Outcome, failure: Outcome | None) -> dict[str, Any]:
        from airflow_provider_seldon.core.readiness.outcome import Ending

        if failure is not None:
            self._fail_rolled_back(rollout, outcome, failure)
        if outcome.ending is Ending.READY:
            # From here on this worker owns the rollout, also after a deferral.
            self._waited_for = rollout
            with self.undone_if_broken_off(rollout):
                outcome = self.verify(rollout, outcome)
        if outcome.ending in {Ending.FAILED, Ending.WRONG, Ending.TIMEOUT}:
            self._undo(rollout, outcome)
        self.hook.raise_for_outcome(outcome, served_before=rollout.served_before)
        self.hook.complete(rollout)
        self._proven = True
        result = self.result(
            dataclasses.replace(rollout, info=dataclasses.replace(rollout.info, state=outcome.state))
        )
        return {**result, "weaker": outcome.weaker} if outcome.weaker else result

    def _undo(self, rollout: Rollout, outcome: Outcome) -> None:
        """Undo and wait; a failing undo must not hide why it was needed."""
        from airflow_provider_seldon.core.readiness.outcome import Ending
        from airflow_provider_seldon.exceptions import RolloutError

        try:
            back = self.undo(dataclasses.replace(rollout, refuted=outcome.ending is Ending.WRONG))
        except BREAKING_OFF as error:
            self._raise_failed(outcome, f"The rollback failed: {error}", served_before=rollout.served_before)
        if back is not None:
            self.log.error("%s: %s", outcome.reason, outcome.message)
            try:
                self.wait_for(back, outcome)
            except RolloutError:
                raise
            except BREAKING_OFF as error:
                ended = f"{type(error).__name__}: {error}".removesuffix(": ")
                self._raise_failed(
                    outcome,
                    f"Revision {back.info.revision} was restored, but the wait for it was interrupted: "
                    f"{ended}.",
                    served_before=True,
                )

    def _raise_failed(self, outcome: Outcome, sentence: str, *, served_before: bool) -> NoReturn:
        from airflow_provider_seldon.exceptions import RolloutError

        try:
            self.hook.raise_for_outcome(outcome, served_before=served_before)
        except RolloutError as failed:
            raise failed.amended(sentence) from None
        raise AssertionError(outcome.ending)

    def _fail_rolled_back(self, back: Rollout, outcome: Outcome, failure: Outcome) -> None:
        from airflow_provider_seldon.core.readiness.outcome import Ending
        from airflow_provider_seldon.exceptions import RolloutError

        revision = back.info.revision
        serves = outcome.ending is Ending.READY
        try:
            if serves:
                self.hook.complete(back)
        except RolloutError as error:
            serves = False
            outcome = outcome.turned_down(outcome.ending, reason=error.reason, message=str(error).rstrip("."))
        try:
            self.hook.raise_for_outcome(failure, served_before=True)
        except RolloutError as error:
            if serves:
                raise error.amended(
                    f"Rolled back to revision {revision}, which is ready.", rolled_back_to=revision
                ) from None
            raise error.amended(
                f"Rolled back to revision {revision}, but that does not become ready either: "
                f"{outcome.reason}: "
                f"{outcome.message}."
            ) from None


def _expires(rollout: Rollout) -> dict[str, str]:
    """Return the entry of a result for a deployment that expires."""
    return {"expires": rollout.expires} if rollout.expires else {}
