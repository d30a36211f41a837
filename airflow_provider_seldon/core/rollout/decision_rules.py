"""
Decision objects for ``deploy_decision``: immutable values, written in the DAG file and evaluated on the
worker.

Values that differ between runs come from the task's ``metrics``, so these objects hold only constants.
``AllOf`` and ``AnyOf`` are tuples, because Airflow renders templates and XComs inside tuples and detects the
dependencies on them; so their parts may be templates or XComs as well. The text of these objects is the same
in every process, because Airflow creates a new version of the DAG when it changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.rollout.decision import AskFunction as AskFunction  # a public path
from airflow_provider_seldon.core.rollout.decision import Decision, Evidence, decide, templatable

if TYPE_CHECKING:
    from airflow_provider_seldon.core.analysis.metrics import TrafficMetric


@dataclass(frozen=True)
class MetricThreshold:
    """
    Deploy when a metric of the candidate is within limits. A number that is not finite (NaN, infinity) never
    is.

    :param metric: name of the metric in the task's ``metrics``.
    :param at_least: the smallest value that passes.
    :param at_most: the largest value that passes.
    :raises InvalidRequestError: neither limit is given, or one is not a finite number.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        limits = [limit for limit in (self.at_least, self.at_most) if limit is not None]
        if not limits:
            raise InvalidRequestError.of("MetricThreshold", "has no limit", "give at_least or at_most")
        if not all(map(_is_finite, limits)):
            raise InvalidRequestError.of(
                "MetricThreshold", "has a limit that is no finite number", "give numbers"
            )

    def decide(self, evidence: Evidence) -> Decision:
        """Compare the candidate's metric with the limits."""
        value = _candidates(evidence, self.metric)
        limits = []
        passed = math.isfinite(value)
        if self.at_least is not None:
            passed = passed and value >= self.at_least
            limits.append(f"at least {self.at_least:g}")
        if self.at_most is not None:
            passed = passed and value <= self.at_most
            limits.append(f"at most {self.at_most:g}")
        relation = "is" if passed else "is not"
        reason = f"MetricThreshold: {self.metric} {value:g} {relation} {' and '.join(limits)}"
        return Decision(deploy=passed, reason=reason)


@dataclass(frozen=True)
class BeatsServing:
    """
    Deploy when a metric of the candidate is better than that of the running version.

    The running version's number was recorded when it was deployed. A candidate whose metric is not a finite
    number (NaN, infinity) never wins.

    :param metric: name of the metric in the task's ``metrics``.
    :param higher_is_better: False for losses and errors.
    :param minimum_gain: how much better it must be; with 0, any improvement counts.
    :param maximum_age: a number of the running version that was recorded longer ago does not count.
    :param without_opponent: the decision if no version is running, or no valid number is recorded.
    :raises InvalidRequestError: the gain is negative, or not a finite number.
    """

    metric: str
    higher_is_better: bool = True
    minimum_gain: float = 0.0
    maximum_age: timedelta | None = None
    without_opponent: bool = True

    def __post_init__(self) -> None:
        if not _is_finite(self.minimum_gain):
            raise InvalidRequestError.of("BeatsServing.minimum_gain", "is no finite number", "give 0 or more")
        if self.minimum_gain < 0:
            raise InvalidRequestError.of("BeatsServing.minimum_gain", "is negative", "give 0 or more")

    def decide(self, evidence: Evidence) -> Decision:
        """Compare the candidate's metric with that of the running version."""
        value = _candidates(evidence, self.metric)
        if not math.isfinite(value):
            # Nothing finite beats infinity; and it is not recorded, so the next candidate would have no
            # reference.
            return Decision(
                deploy=False, reason=f"BeatsServing: the candidate's {self.metric} is not a finite number"
            )
        missing = self._no_opponent(evidence)
        if missing:
            return Decision(
                deploy=self.without_opponent, reason=f"BeatsServing: {self.metric} {value:g}, but {missing}"
            )
        opponent = evidence.serving[self.metric]
        gain = value - opponent if self.higher_is_better else opponent - value
        # 0.95 - 0.93 is slightly less than 0.02 in binary floating point.
        enough = gain > 0 and (
            gain > self.minimum_gain or math.isclose(gain, self.minimum_gain, rel_tol=1e-9)
        )
        reason = (
            f"BeatsServing: {self.metric} {value:g} against {opponent:g} of the running "
            f"{evidence.deployment}; {'higher' if self.higher_is_better else 'lower'} is better, gain {gain:g}"
        )
        if self.minimum_gain:
            reason += f" of at least {self.minimum_gain:g}"
        return Decision(deploy=enough, reason=reason)

    def _no_opponent(self, evidence: Evidence) -> str:
        if not evidence.deployment:
            return "no version is running"
        if self.metric not in evidence.serving:
            return f"none is recorded on {evidence.deployment}"
        if self.maximum_age is None:
            return ""
        if evidence.serving_since is None:
            return f"it is not known when that of {evidence.deployment} was recorded"
        age = evidence.now - evidence.serving_since
        if age <= self.maximum_age:
            return ""
        number = evidence.serving[self.metric]
        return f"the {number:g} of {evidence.deployment} is {age} old, more than {self.maximum_age}"


@dataclass(frozen=True, kw_only=True)
class RunningVersionFails:
    """
    Deploy when the running version exceeds a limit, as Prometheus has measured it: its users need another one.

    One query per metric, from the worker. There is no candidate to compare with yet, so each metric needs an
    absolute limit.

    :param metrics: ``ErrorRatio``, ``Latency`` or ``PromQL`` with ``at_most``, and without comparisons.
    :param window: seconds up to now.
    :param min_requests: with fewer requests, a metric says nothing.
    :param prometheus_conn_id: Airflow connection of type ``http``.
    :param otherwise: the decision if no version is running, or if no metric fails and one cannot be assessed, for
        lack of requests or because Prometheus does not respond.
    :raises InvalidRequestError: there is no metric, or one cannot be used.
    """

    metrics: Sequence[TrafficMetric]
    window: float = 3600.0
    min_requests: int = 300
    prometheus_conn_id: str = "prometheus_default"
    otherwise: bool = False

    def __post_init__(self) -> None:
        from airflow_provider_seldon.core.analysis.metrics import ErrorRatio, Latency, PromQL

        me = type(self).__name__
        if not isinstance(self.metrics, list | tuple) or not self.metrics:
            raise InvalidRequestError.of(f"{me}.metrics", "has no metric", "give a list of metrics")
        object.__setattr__(self, "metrics", tuple(self.metrics))
        for index, one in enumerate(self.metrics):
            place = f"{me}.metrics[{index}]"
            if not isinstance(one, ErrorRatio | Latency | PromQL):
                raise InvalidRequestError.of(
                    place, "is not measured in Prometheus", "give ErrorRatio, Latency or PromQL"
                )
            if one.compares or one.at_most is None:
                raise InvalidRequestError.of(
                    place, "compares with a second version, and only one is running", "give at_most alone"
                )
        if not _is_finite(self.window) or self.window <= 0:
            raise InvalidRequestError.of(f"{me}.window", "is no number above 0", "give seconds")
        if not isinstance(self.min_requests, int) or self.min_requests < 1:
            raise InvalidRequestError.of(f"{me}.min_requests", "is no whole number of 1 or more", "give 300")

    def decide(self, evidence: Evidence) -> Decision:
        """Assess the running version."""
        me = type(self).__name__
        if not evidence.deployment:
            return Decision(deploy=self.otherwise, reason=f"{me}: no version is running")
        if evidence.assess is None:
            raise InvalidRequestError.of(
                "deploy_decision",
                f"{me} needs Prometheus, which is not at hand here",
                "use it in an operator",
            )
        found = [
            evidence.assess(
                one,
                prometheus_conn_id=self.prometheus_conn_id,
                deployment=evidence.deployment,
                namespace=evidence.namespace,
                predictor=evidence.predictor,
                window=self.window,
                min_requests=self.min_requests,
            )
            for one in self.metrics
        ]
        told = "; ".join(f"{one.metric} {one.grade}: {one.reason}" for one in found)
        grades = {str(one.grade) for one in found}
        deploy = "fail" in grades or (grades != {"pass"} and self.otherwise)
        return Decision(deploy=deploy, reason=f"{me}: {evidence.deployment}: {told}")


class AllOf(tuple[Any, ...]):
    """
    Deploy when every part says yes. Evaluated in order, up to the first no.

    :param parts: decisions of any form: rules, bools, templates, XComs, functions.
    :raises InvalidRequestError: there are none.
    """

    __slots__ = ()

    def __new__(cls, *parts: Any) -> Self:
        """Create it from its parts, as Airflow does again after rendering them."""
        return super().__new__(cls, _parts(cls.__name__, parts))

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Return the arguments of a copy; Airflow copies operators with everything that they hold."""
        return tuple(self)

    def decide(self, evidence: Evidence) -> Decision:
        """Ask the parts."""
        yes = []
        for part in self:
            said = decide(part, evidence)
            if not said.deploy:
                return Decision(deploy=False, reason=f"AllOf: {said.reason}")
            yes.append(said.reason)
        return Decision(deploy=True, reason=f"AllOf: {'; '.join(yes)}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self))})"


class AnyOf(AllOf):
    """
    Deploy when one part says yes. Evaluated in order, up to the first yes.

    :param parts: as in :class:`AllOf`.
    """

    __slots__ = ()

    def decide(self, evidence: Evidence) -> Decision:
        """Ask the parts."""
        no = []
        for part in self:
            said = decide(part, evidence)
            if said.deploy:
                return Decision(deploy=True, reason=f"AnyOf: {said.reason}")
            no.append(said.reason)
        return Decision(deploy=False, reason=f"AnyOf: {'; '.join(no)}")


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _parts(name: str, parts: tuple[Any, ...]) -> tuple[Any, ...]:
    if not parts:
        raise InvalidRequestError.of(name, "has no parts", "give at least one decision")
    return tuple(templatable(part) for part in parts)


def _candidates(evidence: Evidence, metric: str) -> float:
    try:
        return evidence.candidate[metric]
    except KeyError:
        known = ", ".join(sorted(evidence.candidate)) or "none"
        raise InvalidRequestError.of(
            "metrics", f"has no {metric!r}", f"pass it to the task's metrics; there are: {known}"
        ) from None
