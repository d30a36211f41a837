"""What a canary tells people: lines for the log, and a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_provider_seldon.core.analysis.analysis import StepVerdict
from airflow_provider_seldon.core.canary.steps import Step

_COLUMNS = ("step", "metric", "candidate", "baseline", "requests", "limit", "verdict")


def line_of(step: Step, verdict: StepVerdict, *, baked: float) -> str:
    """Return a look as one line."""
    told = "; ".join(
        f"{one.metric} {_number(one.candidate)}"
        + (f" beside {_number(one.baseline)}" if one.baseline is not None else "")
        + (f", {one.requests}/{one.baseline_requests} requests" if one.requests is not None else "")
        + f": {one.grade}"
        for one in verdict.assessments
    )
    return f"{step}, baking for {baked:.0f} s of {step.bake:.0f} s: {told or 'no metrics'}: {verdict.grade}"


def table(steps: Sequence[Mapping[str, Any]]) -> str:
    """
    Return concluded steps as a table.

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


def _number(value: Any) -> str:
    return "" if not isinstance(value, int | float) or isinstance(value, bool) else f"{value:.4g}"
