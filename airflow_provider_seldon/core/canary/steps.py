"""
The steps of a canary: the candidate's share of the traffic, and how long it has that share.

Words and presets follow Argo Rollouts (``setWeight``, ``pause``) and SageMaker's deployment guardrails (canary and
linear shifting).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

from airflow_provider_seldon.core.invalid_request import InvalidRequestError

#: Default seconds of a step: ten scrapes at Prometheus' default interval, and a few hundred requests to a
#: model that gets one a second.
DEFAULT_BAKE = 600.0
#: As in Argo Rollouts, promotion gives 100, not a weight: without a baseline there is nothing to compare.
_WEIGHTS = range(1, 100)

Bake = float | timedelta | None


@dataclass(frozen=True)
class Weight:
    """
    The candidate answers a share of the requests.

    :param percent: from 1 to 99. Promotion gives it all traffic.
    :param bake: how long, as seconds or a ``timedelta``; the canary's own default when None.
    :raises InvalidRequestError: naming the field and the fix.
    """

    percent: int
    bake: Bake = None

    def __post_init__(self) -> None:
        if (
            not isinstance(self.percent, int)
            or isinstance(self.percent, bool)
            or self.percent not in _WEIGHTS
        ):
            raise InvalidRequestError.of(
                "steps",
                "has a weight that is not a whole number from 1 to 99",
                "give percentages such as 5, 25, 50",
            )
        seconds_of(self.bake, field="steps")


@dataclass(frozen=True)
class Shadow:
    """
    The candidate gets a copy of the requests; its answers are discarded.

    :param bake: as in :class:`Weight`.
    :param percent: share of the requests that is copied, from 1 to 100. Istio mirrors that share; Ambassador
        all.
    :raises InvalidRequestError: naming the field and the fix.
    """

    bake: Bake = None
    percent: int = 100

    def __post_init__(self) -> None:
        if (
            not isinstance(self.percent, int)
            or isinstance(self.percent, bool)
            or not 1 <= self.percent <= 100
        ):
            raise InvalidRequestError.of(
                "steps", "has a shadow whose percentage is not from 1 to 100", "give a percentage"
            )
        seconds_of(self.bake, field="steps")


@dataclass(frozen=True, kw_only=True)
class Step:
    """
    One step, complete.

    :param weight: percentage of the requests that the candidate answers, or, of a shadow, gets a copy of.
    :param bake: seconds, counted from when the routes have that weight.
    :param shadow: whether the candidate's answers are discarded.
    """

    weight: int
    bake: float
    shadow: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"weight": self.weight, "bake": self.bake} | ({"shadow": True} if self.shadow else {})

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """
        Read it back.

        :raises ValueError: it is none.
        """
        if not isinstance(data, Mapping):
            raise ValueError("no step")
        weight, bake = data.get("weight"), data.get("bake")
        if not isinstance(weight, int) or not isinstance(bake, int | float) or not 0 <= bake < LONGEST_BAKE:
            raise ValueError("no step")
        return cls(weight=weight, bake=float(bake), shadow=data.get("shadow") is True)

    def __str__(self) -> str:
        return f"shadow of {self.weight} %" if self.shadow else f"{self.weight} %"


def steps_of(given: Sequence[int | Weight | Shadow], *, bake: Bake = None) -> tuple[Step, ...]:
    """
    Parse a user's ``steps``.

    :param given: weights as numbers or :class:`Weight`, rising, after any :class:`Shadow` steps.
    :param bake: bake time of steps without their own; 600 s when None.
    :raises InvalidRequestError: naming the field and the fix.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Sequence) or not given:
        raise InvalidRequestError.of(
            "steps", "is not a list of steps", "give percentages such as [5, 25, 50]"
        )
    default = seconds_of(bake, field="bake")
    found = []
    for one in given:
        if isinstance(one, int) and not isinstance(one, bool):
            one = Weight(one)
        if not isinstance(one, Weight | Shadow):
            raise InvalidRequestError.of(
                "steps", f"holds a {type(one).__name__}", "give whole numbers, Weight(...) or Shadow(...)"
            )
        own = seconds_of(one.bake, field="steps")
        found.append(
            Step(
                weight=one.percent,
                bake=next(time for time in (own, default, DEFAULT_BAKE) if time is not None),
                shadow=isinstance(one, Shadow),
            )
        )
    weights = [step.weight for step in found if not step.shadow]
    if weights != sorted(set(weights)):
        raise InvalidRequestError.of(
            "steps", "has weights that do not rise", "give each step more than the last"
        )
    if any(step.shadow for step in found[[step.shadow for step in found].count(True) :]):
        raise InvalidRequestError.of("steps", "has a shadow after a weight", "put shadows first")
    return tuple(found)


def canary(percent: int = 10, *, bake: Bake = None) -> list[Weight]:
    """
    Return the steps of SageMaker's canary shifting: one small share first, then everything.

    :param percent: the share.
    :param bake: as in :class:`Weight`.
    """
    return [Weight(percent, bake)]


def linear(percent: int = 20, *, bake: Bake = None) -> list[Weight]:
    """
    Return the steps of SageMaker's linear shifting: equal increments up to everything.

    :param percent: how much each step adds, at most 50.
    :param bake: bake time of each step, as in :class:`Weight`.
    """
    if not isinstance(percent, int) or isinstance(percent, bool) or not 1 <= percent <= 50:
        raise InvalidRequestError.of(
            "linear", "has a step that is not from 1 to 50", "give a percentage such as 20"
        )
    return [Weight(weight, bake) for weight in range(percent, 100, percent)]


#: Maximum of a bake time in seconds.
LONGEST_BAKE = 10 * 366 * 86400.0


def seconds_of(bake: Bake, *, field: str) -> float | None:
    """
    Parse a bake time.

    :param field: name of the argument, for the error.
    :raises InvalidRequestError: it is negative, or not a time.
    """
    if bake is None:
        return None
    seconds = bake.total_seconds() if isinstance(bake, timedelta) else bake
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < LONGEST_BAKE:
        raise InvalidRequestError.of(field, "has an invalid bake time", "give seconds or a timedelta")
    return float(seconds)
