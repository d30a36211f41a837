"""
The next action of a canary: one pure function of the lease and the verdicts.

The process that carries it out may be killed before or after any request: called again with the cluster's
state at that time, this returns the same action, or the next one, and never an earlier one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_seldon.core.analysis.analysis import OnInconclusive
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.canary.lease import Lease, Stage


class Next(StrEnum):
    """The next action."""

    WAIT = "wait"  # nothing to write; measure again
    SHIFT = "shift"  # write the next step's weights
    HOLD = "hold"  # stay at this weight: an approval decides
    PROMOTE = "promote"  # write the candidate's content into the main predictor
    FINISH = "finish"  # the main predictor serves the candidate's content: remove the candidate
    ABORT = "abort"  # remove the candidate


@dataclass(frozen=True, kw_only=True)
class Transition:
    """
    The next action and its reason.

    :param action: see ``Next``.
    :param reason: a sentence for the log, and for the error of an abort.
    """

    action: Next
    reason: str = ""


def baked(lease: Lease, now: float) -> bool:
    """Return whether the current step has baked for its full time."""
    return lease.since is not None and now - lease.since >= lease.current.bake


def bakes_on(grade: Grade | None, *, concluded: bool, on_inconclusive: OnInconclusive) -> bool:
    """
    Return whether a step continues after a measurement, so that a trigger need not resume the worker.

    :param grade: grade of the measurement; None without an analysis.
    :param concluded: whether it was the one at the end of the step.
    :param on_inconclusive: what a step without a result comes to.
    """
    if grade in {None, Grade.PASS}:
        return not concluded
    if grade is Grade.FAIL or on_inconclusive == "abort":
        return False
    return on_inconclusive == "wait" or not concluded


def next_of(
    lease: Lease,
    *,
    settled: bool,
    grade: Grade | None,
    concluded: bool,
    reason: str = "",
    on_inconclusive: OnInconclusive = "wait",
    hold_at: int | None = None,
    promote: bool = True,
) -> Transition:
    """
    Decide the next action.

    :param lease: the stored lease.
    :param settled: every predictor is READY, and the routes have the desired weights.
    :param grade: grade of the last measurement; None without an analysis or a measurement.
    :param concluded: the measurement was the one at the end of the step. Without an analysis: the step has
        baked.
    :param reason: reason of that measurement.
    :param on_inconclusive: what a step without a result comes to.
    :param hold_at: hold after the first step with at least this weight, and after the last step in any case:
        nothing is promoted without the approval.
    :param promote: promote after the last step; otherwise hold there.
    """
    if lease.stage is Stage.PROMOTING:
        if settled:
            return Transition(action=Next.FINISH, reason="the main predictor serves the new version")
        return Transition(action=Next.WAIT, reason="the main predictor is rolling out the new version")
    hopeless = grade is Grade.INCONCLUSIVE and on_inconclusive == "abort" and lease.stage is Stage.STEPPING
    if grade is Grade.FAIL or (hopeless and not concluded):
        return Transition(action=Next.ABORT, reason=reason)
    if lease.stage is Stage.HOLDING:
        return Transition(action=Next.WAIT, reason="the canary waits for an approval")
    if not concluded:
        return Transition(action=Next.WAIT, reason=reason or f"{lease.current} bakes")
    if grade not in {None, Grade.PASS} and on_inconclusive != "continue":
        if on_inconclusive == "abort":
            return Transition(action=Next.ABORT, reason=f"no result at the end of the step: {reason}")
        return Transition(action=Next.WAIT, reason=f"no result yet, so the step continues to bake: {reason}")
    if not settled:
        return Transition(
            action=Next.WAIT, reason="the routes do not have the weights, or not all predictors are ready"
        )
    return _after_step(lease, hold_at=hold_at, promote=promote)


def _after_step(lease: Lease, *, hold_at: int | None, promote: bool) -> Transition:
    last = lease.step == len(lease.steps) - 1
    if hold_at is not None and not lease.current.shadow and lease.current.weight >= hold_at:
        return Transition(action=Next.HOLD, reason=f"held at {lease.current}")
    if not last:
        return Transition(action=Next.SHIFT, reason=f"{lease.current} has passed")
    if promote and hold_at is None:
        return Transition(action=Next.PROMOTE, reason="all steps have passed")
    return Transition(action=Next.HOLD, reason=f"all steps have passed; held at {lease.current}")
