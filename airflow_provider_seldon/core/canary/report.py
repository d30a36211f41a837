"""A canary's report for users: lines for the log, and a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.analysis.analysis import StepVerdict
from airflow_provider_seldon.core.analysis.assessment import Grade
from airflow_provider_seldon.core.canary.steps import Step

_COLUMNS = ("step", "metric", "candidate", "baseline", "requests", "limit", "verdict")


def line_of(step: Step, verdict: StepVerdict, *, baked: float, over: bool) -> str:
    """
    Return a measurement as one line: each metric with both numbers and requests, and why it did not pass.

    :param baked: seconds that the step has baked.
    :param over: whether the measurement has ended the step.
    """
    told = "; ".join(
        f"{one.metric} {_number(one.candidate) or 'unknown'}"
        + (f" against {_number(one.baseline)}" if one.baseline is not None else "")
        + (f", {one.requests}/{_count(one.baseline_requests)} requests" if one.requests is not None else "")
        + f": {one.grade}"
        + (f" ({one.reason})" if one.grade is not Grade.PASS else "")
        for one in verdict.assessments
    )
    end = f"the result of the step is {verdict.grade}" if over else "it continues to bake"
    return f"{step}, baking for {baked:.0f} s of {step.bake:.0f} s: {told or 'no metrics'}; {end}"


def table(steps: Sequence[Mapping[str, Any]]) -> str:
    """
    Return completed steps as a table.

    :param steps: each with ``step`` and what ``StepVerdict.to_json`` returns.
    """
    rows = [list(_COLUMNS)]
    for one in steps:
        for metric in one.get("metrics") or [{}]:
            rows.append(
                [
                    str(one.get("step", "")),
                    str(metric.get("metric", "")),
                    _number(metric.get("candidate")),
                    _number(metric.get("baseline")),
                    _counts(metric),
                    str(metric.get("limit", "")),
                    str(metric.get("grade", one.get("grade", ""))),
                ]
            )
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _counts(metric: Mapping[str, Any]) -> str:
    counts = [metric.get("requests"), metric.get("baseline_requests")]
    return "/".join(str(one) for one in counts if one is not None)


def _count(requests: int | None) -> str:
    return "unknown" if requests is None else str(requests)


def _number(value: Any) -> str:
    return "" if not isinstance(value, int | float) or isinstance(value, bool) else f"{value:.4g}"
