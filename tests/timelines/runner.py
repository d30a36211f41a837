"""Judging every step of a timelines file, as a wait that sees these steps would."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from tests.timelines.scenario import Moment, Scenario

#: The last situation of a timeline lasts for ever, so whatever has to last does.
FOR_EVER = 86_400.0

#: Word of the format -> phases that it accepts. It has no word of its own for a deployment that is lost.
ACCEPTED = {
    "wait": {Phase.PENDING},
    "pending": {Phase.PENDING},
    "ready": {Phase.READY},
    "wait-or-ready": {Phase.PENDING, Phase.READY},
    "failed": {Phase.FAILED, Phase.DELETED, Phase.REPLACED},
    "wait-or-failed": {Phase.PENDING, Phase.FAILED},
    "deleted": {Phase.DELETED},
    "replaced": {Phase.REPLACED},
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """A judged step."""

    scenario: str
    number: int
    moment: Moment
    verdict: Verdict

    @property
    def right(self) -> bool:
        """Whether the verdict is the one that the file calls correct."""
        return self.verdict.phase in ACCEPTED.get(self.moment.correct, set())

    def __str__(self) -> str:
        note = f" [{self.moment.note}]" if self.moment.note else ""
        return (
            f"{self.scenario} step {self.number} (t={self.moment.t:g}): should be {self.moment.correct or '?'}, "
            f"judged {self.verdict.phase.lower()} ({self.verdict.reason}: {self.verdict.message}){note}"
        )


def run_file(path: str | Path) -> list[Step]:
    """Return the judged steps of all scenarios in a file."""
    data = json.loads(Path(path).read_text())
    scenarios = data.get("scenarios", []) if isinstance(data, Mapping) else data
    return [step for scenario in scenarios for step in run(scenario)]


def run(data: Mapping[str, Any]) -> Iterator[Step]:
    """Yield the judged steps of one scenario; the history is carried from step to step, as JSON."""
    scenario = Scenario(data)
    expected = type(scenario.expected).from_json(json.loads(json.dumps(scenario.expected.to_json())))
    policy = FailurePolicy.from_json(scenario.policy)
    moments = list(scenario.moments())
    history = None
    for number, moment in enumerate(moments, 1):
        verdict = _judge(moment, moment.t, expected, history, policy)
        if number == len(moments) and not verdict.final:
            verdict = _judge(moment, moment.t + FOR_EVER, expected, verdict.history, policy)
        history = type(verdict.history).from_json(json.loads(json.dumps(verdict.history.to_json())))
        yield Step(scenario=scenario.name, number=number, moment=moment, verdict=verdict)


def _judge(moment: Moment, now: float, expected: Any, history: Any, policy: FailurePolicy) -> Verdict:
    return judge(
        moment.deployment,
        moment.children,
        moment.pods,
        expected=expected,
        now=now,
        history=history,
        policy=policy,
    )
