"""
Metrics of traffic: immutable values, written in the DAG file. Limits are data; nothing is measured here.

An absolute limit (``at_most``) is a hard safety limit: it is checked while a step bakes. A comparison with
the running version, measured together with the candidate (``at_most_ratio``, ``at_most_delta``) is made once,
at the end of a step: repeated comparisons would find differences that do not exist. Names follow Argo
Rollouts where it has a term.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from airflow_provider_seldon.core.invalid_request import InvalidRequestError


@dataclass(frozen=True, kw_only=True)
class TrafficMetric:
    """
    Base of the metrics.

    :param at_most: the candidate's own value must not be larger.
    :param at_most_ratio: nor larger than the baseline's times this.
    :param at_most_delta: nor larger than the baseline's plus this. With both this and a ratio, the more
        generous one applies.
    :param significance: maximum probability that the comparisons find equal versions different, over all
        steps of a canary. Between 0 and 1.
    :raises InvalidRequestError: a limit is missing, not a finite number, or negative; the significance is out
        of range.
    """

    at_most: float | None = None
    at_most_ratio: float | None = None
    at_most_delta: float | None = None
    significance: float = 0.05

    #: Unit of a limit.
    unit: ClassVar[str] = ""
    #: Whether it is measured only at the end of a step.
    at_end: ClassVar[bool] = False

    def __post_init__(self) -> None:
        me = type(self).__name__
        for name in ("at_most", "at_most_ratio", "at_most_delta"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and math.isfinite(value) and value >= 0):
                raise InvalidRequestError.of(f"{me}.{name}", "is not a number of 0 or more", "give a number")
        if not (_is_number(self.significance) and 0 < self.significance < 1):
            raise InvalidRequestError.of(f"{me}.significance", "is not between 0 and 1", "give 0.05, for one")
        if not self.limited:
            raise InvalidRequestError.of(
                me, "has no limit, so it can never fail", "give at_most, at_most_ratio or at_most_delta"
            )
        if not isinstance(getattr(self, "label", ""), str):
            raise InvalidRequestError.of(f"{me}.label", "is not a text", "give a name")

    @property
    def limited(self) -> bool:
        """Whether there is any limit."""
        return self.at_most is not None or self.compares

    @property
    def compares(self) -> bool:
        """Whether the candidate is compared with the baseline."""
        return self.at_most_ratio is not None or self.at_most_delta is not None

    @property
    def name(self) -> str:
        """Its name in logs, results and counters; the same in every process."""
        return type(self).__name__

    def allowed(self, baseline: float) -> float:
        """Return the largest value that passes a comparison."""
        bounds = []
        if self.at_most_ratio is not None:
            bounds.append(baseline * self.at_most_ratio)
        if self.at_most_delta is not None:
            bounds.append(baseline + self.at_most_delta)
        return max(bounds)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data for display, without default values."""
        given = {
            one.name: getattr(self, one.name)
            for one in fields(self)
            if getattr(self, one.name) != one.default
        }
        return {"metric": self.name, **{key: value for key, value in given.items() if not callable(value)}}


@dataclass(frozen=True, kw_only=True)
class ErrorRatio(TrafficMetric):
    """
    Share of requests that fail: HTTP 5xx, and gRPC statuses that are the server's fault.

    A request with a client error (HTTP 4xx, ``InvalidArgument``, ``NotFound``) counts as answered.
    """

    unit: ClassVar[str] = "of the requests"


@dataclass(frozen=True, kw_only=True)
class Latency(TrafficMetric):
    """
    How long requests take, in seconds.

    Read from a histogram: values are interpolated between its bounds, and values above 10 s (the largest
    bound of Seldon's executor) are indistinguishable.

    :param quantile: quantile that is compared with the limits, between 0 and 1.
    """

    quantile: float = 0.95

    unit: ClassVar[str] = "s"

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (_is_number(self.quantile) and 0 < self.quantile < 1):
            raise InvalidRequestError.of("Latency.quantile", "is not between 0 and 1", "give 0.95, for one")

    @property
    def name(self) -> str:
        """See :attr:`TrafficMetric.name`."""
        return f"Latency p{self.quantile * 100:g}"


@dataclass(frozen=True, kw_only=True)
class PromQL(TrafficMetric):
    """
    Any expression that Prometheus can evaluate to one number.

    :param query: with the placeholders ``{deployment}``, ``{predictor}``, ``{namespace}`` and ``{window}``;
        other braces stay as they are. It is evaluated once for each side, to an instant vector of one element:
        put a scalar into ``vector()``.
    :param label: its name; defaults to the query.
    """

    query: str = field(default="", kw_only=False)
    label: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.query, str) or not self.query.strip():
            raise InvalidRequestError.of("PromQL.query", "is empty", "give an expression")

    @property
    def name(self) -> str:
        """See :attr:`TrafficMetric.name`."""
        return self.label or self.query


@dataclass(frozen=True, kw_only=True)
class FunctionMetric(TrafficMetric):
    """
    A number that your own function returns: from a warehouse, a feedback store, a drift monitor.

    :param function: called with ``deployment``, ``predictor``, ``namespace``, ``window`` (seconds) as
        keywords, once for each side that has limits; returns a number, or None without data. It runs on a
        worker.
    :param label: its name; defaults to the function's name.
    """

    #: Not in its repr, which is part of a mapped task's serialized DAG: an address there differs in every process.
    function: Callable[..., float | None] | None = field(default=None, kw_only=False, repr=False)
    label: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.function):
            raise InvalidRequestError.of("FunctionMetric.function", "is not callable", "give a function")

    @property
    def name(self) -> str:
        """See :attr:`TrafficMetric.name`."""
        return self.label or getattr(self.function, "__name__", "function")


@dataclass(frozen=True, kw_only=True)
class GoldenSet(TrafficMetric):
    """
    Send the same rows to both versions, once at the end of a step, and compare their answers.

    They go to each predictor's own Service, so a shadow gets them like any other, and a small share of the
    traffic costs no more requests than a large one. A row that the baseline does not answer cannot be
    compared; a row that only the candidate does not answer is a disagreement.

    :param uri: a file with one JSON request per line, in any storage that Airflow's ``ObjectStoragePath``
        supports, or a path on the worker. At most 1,000 rows and 16 MiB.
    :param conn_id: Airflow connection to that storage; the storage's own default when None.
    :param max_disagreement: the largest share of rows that may be answered differently, between 0 and 1.
    :param tolerance: numbers that differ by no more, absolutely or relatively, agree.
    :param label: its name.
    """

    uri: str = field(default="", kw_only=False)
    conn_id: str | None = None
    max_disagreement: float = 0.0
    tolerance: float = 1e-6
    label: str = ""

    unit: ClassVar[str] = "of the rows"
    at_end: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """See :attr:`TrafficMetric.name`."""
        return self.label or type(self).__name__

    def __post_init__(self) -> None:
        if not _is_number(self.max_disagreement) or not 0 <= self.max_disagreement <= 1:
            raise InvalidRequestError.of(
                "GoldenSet.max_disagreement", "is not between 0 and 1", "give 0.02, for one"
            )
        # dataclasses.replace() passes the limit that was derived before.
        if self.compares or self.at_most not in {None, self.max_disagreement}:
            raise InvalidRequestError.of(
                "GoldenSet", "has a limit besides max_disagreement", "give max_disagreement only"
            )
        object.__setattr__(self, "at_most", self.max_disagreement)
        super().__post_init__()
        if not isinstance(self.uri, str) or not self.uri.strip():
            raise InvalidRequestError.of("GoldenSet.uri", "is empty", "name a file of JSON lines")
        if not _is_number(self.tolerance) or not self.tolerance >= 0:
            raise InvalidRequestError.of(
                "GoldenSet.tolerance", "is not a number of 0 or more", "give 1e-6, for one"
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
