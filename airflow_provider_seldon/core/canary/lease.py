"""
The lease of a canary: an annotation on the SeldonDeployment with the run of the canary and its progress.

Purpose: the next process (a retried task, a restarted triggerer, a teardown, the reaper) learns from the
object itself where to resume, and when the canary counts as abandoned. Annotations of a SeldonDeployment are
not copied to its pods, so writing it restarts nothing.

It holds no credentials, and no data that the cluster has itself: the routes contain their weights.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Self

from airflow_provider_seldon.core.analysis.counters import Counters
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.identity.annotations import PREFIX
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

ANNOTATION_CANARY = f"{PREFIX}canary"
#: The candidate's configuration, as a ``history.ProvenVersion``: a promotion needs only this.
ANNOTATION_CANDIDATE = f"{PREFIX}canary-candidate"
#: All annotations that only a canary has.
LEASE = (ANNOTATION_CANARY, ANNOTATION_CANDIDATE)
#: Version of the format. A later one adds fields, and never changes the meaning of a field.
SCHEMA = 1


class Stage(StrEnum):
    """Stage of a canary."""

    STEPPING = "stepping"  # the weights of a step are written; it bakes once the routes have them
    HOLDING = "holding"  # the last wanted step has passed; the canary waits for an approval
    PROMOTING = "promoting"  # the main predictor has the candidate's content, the candidate still exists


@dataclass(frozen=True, kw_only=True)
class Lease:
    """
    A canary in progress.

    :param run: id of its DAG run.
    :param order: that run's token in the order of runs (``fence``), as text; empty without one.
    :param candidate: revision of the deployment after the promotion of the candidate.
    :param baseline: revision of the previous version.
    :param steps: all steps.
    :param step: index of the current step.
    :param stage: the current stage.
    :param since: epoch seconds at which the current step began to bake; None before that.
    :param expires: epoch seconds after which it counts as abandoned, unless it was renewed.
    :param counters: counters of the current step, by metric.
    :param ttl: seconds after which the deployment expires once the candidate is promoted; None for never.
    :param map_index: index of the mapped task that leads it; -1 if it is not mapped.
    :param samples: by metric, one for each completed step.
    :param verdict: the last verdict, as JSON data; empty before the first.
    """

    run: str
    candidate: str
    baseline: str
    steps: Sequence[Step]
    expires: float
    order: str = ""
    step: int = 0
    stage: Stage = Stage.STEPPING
    since: float | None = None
    ttl: float | None = None
    map_index: int = -1
    counters: Mapping[str, Counters] = field(default_factory=dict)
    samples: Mapping[str, Sequence[Sample]] = field(default_factory=dict)
    verdict: Mapping[str, Any] = field(default_factory=dict)

    @property
    def current(self) -> Step:
        """The current step."""
        return self.steps[self.step]

    def expired(self, now: float) -> bool:
        """Return whether it counts as abandoned."""
        return now > self.expires

    def baking(self, *, since: float, expires: float) -> Self:
        """Return the same step's lease once the routes have its weights; unchanged if it already bakes."""
        return self if self.since is not None else replace(self, since=since, expires=expires)

    def renewed(self, *, expires: float, **changes: Any) -> Self:
        """Return the lease with a later expiry (never an earlier one), and other changes."""
        return replace(self, expires=max(expires, self.expires), **changes)

    def next_step(self, *, expires: float, verdict: Mapping[str, Any]) -> Self:
        """Return the lease of the next step; its counters start at zero."""
        return replace(self, step=self.step + 1, since=None, expires=expires, counters={}, verdict=verdict)

    def to_json(self) -> str:
        """Return the annotation's value: the same text for the same lease."""
        data = {
            "v": SCHEMA,
            "run": self.run,
            "order": self.order,
            "candidate": self.candidate,
            "baseline": self.baseline,
            "steps": [step.to_json() for step in self.steps],
            "step": self.step,
            "stage": str(self.stage),
            "since": self.since,
            "ttl": self.ttl,
            "map_index": self.map_index if self.map_index >= 0 else None,
            "expires": self.expires,
            "counters": {name: one.to_json() for name, one in self.counters.items()},
            "samples": {name: [one.to_json() for one in many] for name, many in self.samples.items()},
            "verdict": dict(self.verdict),
        }
        kept = {key: value for key, value in data.items() if value not in ({}, "", None)}
        return json.dumps(kept, separators=(",", ":"), sort_keys=True)

    @property
    def position(self) -> tuple[str, int, bool]:
        """Its progress: stage, step, and whether that bakes. Each position is written once."""
        return (str(self.stage), self.step, self.since is not None)

    @classmethod
    def of(cls, deployment: SeldonDeployment) -> Self | None:
        """Return the lease of the canary in progress on a deployment; None when there is none."""
        return cls.parse(deployment.annotations.get(ANNOTATION_CANARY))

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """
        Parse the annotation's value; None when there is none, or an unreadable one.

        Unknown fields are ignored, so a later release's lease is still recognised and can be aborted.
        """
        try:
            data = json.loads(text or "null")
            return cls._of(data) if isinstance(data, Mapping) else None
        except (ValueError, TypeError, OverflowError, RecursionError):
            return None

    @classmethod
    def _of(cls, data: Mapping[str, Any]) -> Self:
        steps = (
            tuple(Step.from_json(one) for one in data["steps"]) if isinstance(data.get("steps"), list) else ()
        )
        step = data.get("step")
        if not steps or not isinstance(step, int) or isinstance(step, bool) or not 0 <= step < len(steps):
            raise ValueError("no step")
        since, ttl, index = data.get("since"), data.get("ttl"), data.get("map_index")
        return cls(
            run=_text(data, "run"),
            order=_text(data, "order"),
            candidate=_text(data, "candidate"),
            baseline=_text(data, "baseline"),
            steps=steps,
            step=step,
            stage=Stage(data.get("stage", Stage.STEPPING)),
            since=None if since is None else _moment(since),
            ttl=None if ttl is None else _moment(ttl),
            map_index=index if isinstance(index, int) and not isinstance(index, bool) else -1,
            expires=_moment(data.get("expires")),
            counters={key: Counters.from_json(one) for key, one in _mappings(data, "counters").items()},
            samples={
                key: tuple(Sample.from_json(one) for one in many if isinstance(one, Mapping))
                for key, many in _mapping(data.get("samples")).items()
                if isinstance(many, list)
            },
            verdict=_mapping(data.get("verdict")),
        )


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise ValueError(f"{key} is no text")
    return value


def _moment(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("no moment")
    return float(value)


def _mappings(data: Mapping[str, Any], key: str) -> dict[str, Mapping[str, Any]]:
    return {name: one for name, one in _mapping(data.get(key)).items() if isinstance(one, Mapping)}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
