"""
The oracle: it knows the faults of the versions, the gateway's responses, and the results of the runs.

It uses none of the provider's code. Of the cluster it sees the annotations of the deployment in the end, as text. What
it checks in a canary:

- a bad candidate, or one of which nothing can be known, is promoted;
- a good one is not, although its data were clear and nobody stood in the way;
- the baseline is without its traffic: nothing answers, or the candidate of a canary answers more than its part;
- a run is told of an end, and something else answers;
- a lease is left by whoever was told of an end, or after the reaper.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field

from tests.canaries.plan import Plan
from tests.canaries.traffic import ERROR, NOTHING, Answer

#: The largest part of a canary, in these tests; of so many answers in a row the baseline has so many at least, which
#: chance falls short of in one of a million.
LARGEST_PART = 0.5
IN_A_ROW, AT_LEAST = 60, 11
#: Part of the key of the annotation that holds a lease.
LEASE = "airflow-provider-seldon/canary"


def uri(who: str) -> str:
    """The model of ``baseline``, ``candidate``, ``newer run`` or ``older run``."""
    return f"s3://models/{who.replace(' ', '-')}"


@dataclass(frozen=True)
class End:
    """
    The result of a run.

    :param who: ``canary``, ``newer run`` or ``older run``.
    :param how: ``promoted``, ``aborted``, ``held``, ``replaced``, ``skipped``, ``killed``, ``ended``, ``deployed`` or
        ``failed``.
    """

    at: float
    who: str
    how: str
    text: str = ""


@dataclass
class Oracle:
    """Watches one canary."""

    plan: Plan
    answers: list[Answer] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    #: When others began to deploy, by name.
    others_began: dict[str, float] = field(default_factory=dict)
    #: When the candidate answered first.
    tried: float | None = None
    _last: deque[Answer] = field(default_factory=lambda: deque(maxlen=IN_A_ROW))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, answer: Answer) -> None:
        """Hear an answer of the gateway."""
        with self._lock:
            self.answers.append(answer)
            self._last.append(answer)
            if self.tried is None and answer.version in {uri("candidate"), ERROR}:
                self.tried = answer.began
            self._check_answer(answer)
            self._check_part(answer)

    def began(self, who: str, at: float) -> None:
        """Hear that another client begins to deploy."""
        with self._lock:
            self.others_began[who] = at

    def told(self, end: End, after: list[Answer]) -> None:
        """
        Hear what a run was told.

        :param after: what the gateway answered right afterwards.
        """
        with self._lock:
            self.ends.append(end)
            expected = {
                "promoted": uri("candidate"),
                "aborted": uri("baseline"),
                "deployed": uri(end.who),
            }.get(end.how)
            strange = sorted({one.version for one in after if one.version != expected})
            if expected and strange and not self._disturbed:
                self._note(end.at, f"{end.who} was told {end.how}, but answers: {strange}")
            if end.how == "promoted" and self.plan.bad:
                self._note(end.at, f"the candidate {self.plan.candidate}, and is promoted")

    def left(self, at: float, annotations: str, *, reaped: bool) -> None:
        """Hear which annotations the deployment has, before or after the reaper."""
        ended = self.how_it_ended in {"promoted", "aborted", "replaced", "ended", "skipped"}
        # Who failed could not send what aborts, when that met a fault as well: that is what the reaper is there for.
        ended |= self.how_it_ended == "failed" and not self.plan.faults
        if LEASE in annotations and (reaped or ended):
            when = "after the reaper" if reaped else f"although the canary was told {self.how_it_ended}"
            self._note(at, f"a lease is left {when}")

    def serves_finally(self, at: float, answers: list[Answer]) -> None:
        """Hear what answers when all is over."""
        if self.plan.event == "baseline crashes":
            return
        found = sorted({one.version for one in answers})
        if len(found) != 1 or found[0] not in self._allowed():
            self._note(at, f"in the end {found} answers, and not one of {sorted(self._allowed())}")
        told = [end for end in self.ends if end.who == "canary"]
        if self.plan.clear and not self._overtaken and self.how_it_ended != "promoted":
            self._note(at, f"a good candidate is not promoted: {told[-1] if told else 'nothing was told'}")

    @property
    def how_it_ended(self) -> str:
        """What the canary's run was told last."""
        return next((end.how for end in reversed(self.ends) if end.who == "canary"), "")

    @property
    def _overtaken(self) -> bool:
        """Whether another run's version was deployed."""
        return any(end.how == "deployed" for end in self.ends)

    @property
    def _disturbed(self) -> bool:
        """Whether it cannot be said what answers now, because of what was ordered."""
        return bool(self.others_began) or self.plan.event == "baseline crashes"

    def _allowed(self) -> set[str]:
        deployed = [end for end in self.ends if end.how == "deployed"]
        if deployed:
            # Who is told that it serves is the last, unless the canary comes after an older run.
            newest = [uri(end.who) for end in deployed if end.who == "newer run"]
            return set(newest) or {uri("older run"), *self._of_the_canary()}
        return self._of_the_canary() | {uri(who) for who in self.others_began}

    def _of_the_canary(self) -> set[str]:
        if self.how_it_ended == "promoted":
            return {uri("candidate")}
        if self.how_it_ended in {"aborted", "ended", "held"}:
            return {uri("baseline")}
        # Killed, or broken off: when that was right after the last write, the candidate has replaced what served.
        return {uri("baseline")} | (set() if self.plan.bad else {uri("candidate")})

    def _check_answer(self, answer: Answer) -> None:
        # A candidate that crashes once it has its part takes that part of the requests down with it.
        excused = self.plan.candidate == "crashes later" or self.plan.event == "baseline crashes"
        if answer.version == NOTHING and not excused:
            self._note(answer.began, f"nothing answers: {answer.text}")
        if self.plan.candidate == "good" and answer.version == ERROR:
            self._note(answer.began, "an error, although none was ordered")

    def _check_part(self, answer: Answer) -> None:
        """The candidate of a canary has its part, and no more."""
        if (
            not self.plan.bad
            or self._disturbed
            or len(self._last) < IN_A_ROW
            or self.plan.candidate == "good"
        ):
            return
        if sum(one.version == uri("baseline") for one in self._last) < AT_LEAST:
            self._note(answer.began, f"the baseline has fewer than {AT_LEAST} of {IN_A_ROW} answers")

    def _note(self, at: float, text: str) -> None:
        if not any(text in known for known in self.violations):
            self.violations.append(f"{at:.2f} {text}")
