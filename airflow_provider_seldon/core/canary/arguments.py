"""Readers of the arguments of canaries; they import other modules only on use."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.core.values.readers import WrongValueError


def steps(value: Any) -> Any:
    """Check the steps; they stay as given, because rules are applied twice."""
    from airflow_provider_seldon.core.canary.steps import steps_of

    steps_of(value)
    return value


def bake(value: Any) -> Any:
    """Check the default bake time of steps."""
    from airflow_provider_seldon.core.canary.steps import seconds_of

    seconds_of(value, field="bake")
    return value


def analysis(value: Any) -> Any:
    """Read the limits of a candidate."""
    from airflow_provider_seldon.core.analysis.analysis import Analysis

    if value is not None and not isinstance(value, Analysis):
        raise WrongValueError(
            f"is a {type(value).__name__}", "give an Analysis, or None for a canary that only bakes"
        )
    return value


def hold_at(value: Any) -> Any:
    """Read the weight at which the canary waits for an approval."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 99:
        raise WrongValueError("is not a whole number from 1 to 99", "give the weight of a step")
    return value


def refuse_never_held(steps: Any, hold_at: int | None) -> None:
    """
    Refuse a weight that no step reaches: the canary would be promoted without the approval.

    :param steps: as given.
    :raises InvalidRequestError: names the largest weight.
    """
    from airflow_provider_seldon.core.canary.steps import steps_of
    from airflow_provider_seldon.core.invalid_request import InvalidRequestError

    if hold_at is None:
        return
    largest = max((step.weight for step in steps_of(steps) if not step.shadow), default=0)
    if hold_at > largest:
        reached = f"the steps end at {largest} %" if largest else "there are only shadows"
        raise InvalidRequestError.of(
            "hold_at", f"is {hold_at}, and {reached}", "give the weight of a step, or promote=False"
        )


def yes_or_no(value: Any) -> bool:
    """Read a flag that a template may have rendered to text."""
    if isinstance(value, str) and value.strip().lower() in {"true", "false", "1", "0", "yes", "no"}:
        return value.strip().lower() in {"true", "1", "yes"}
    if isinstance(value, bool):
        return value
    raise WrongValueError("is neither yes nor no", "give True or False, or a template that renders to it")
