"""
The oracle: it knows what the gateway answers, what the runs were told, and what others did; nothing else.

It neither looks at the cluster nor uses any code of the provider. What it checks in a history:

- a run that is told that a version serves: the gateway answers with that one at this moment, and with no other;
- once a version is told to serve, none of an older run answers any more, until somebody asks for that;
- and from then on every request is answered.

Somebody may act between the last look of a task and the moment when it is told of the result; nobody can then say what
serves. Such an overlap is known by times, and only what can be said in spite of it is compared with the history.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

#: Seconds: how old the last look of a task may be when its result is told, with retries of what follows it.
LAST_LOOK = 3.0
#: Seconds for which an answer after a deed may still be one of before.
LAG = 0.3
#: What a gateway answered that had no model to ask.
NOTHING = "nothing"


@dataclass(frozen=True)
class Answer:
    """What the gateway said: the model URI of the pod that answered, or ``NOTHING``."""

    began: float
    version: str
    status: int


@dataclass(frozen=True)
class Deed:
    """
    What somebody did to the deployment: another run's write, or an act of others.

    :param takes_away: the running version may be gone after it.
    :param by: the order of the run; 0 for others.
    """

    began: float
    ended: float
    what: str
    by: int = 0
    takes_away: bool = False


@dataclass(frozen=True)
class Told:
    """
    What a run was told: that this version serves.

    :param order: the run's place in the order of runs.
    :param version: the model URI.
    :param tried: when the try began that was told so.
    :param at: when it was told.
    :param own: the version is what the run itself deploys, and not what it has found or put back.
    """

    order: int
    version: str
    tried: float
    at: float
    own: bool = True


@dataclass
class Floor:
    """The newest version that was told to serve, and the run that it counts for."""

    order: int
    version: str
    since: float


@dataclass
class Oracle:
    """
    Watches one history.

    :param orders: version -> the newest run that deploys it.
    """

    orders: dict[str, int]
    answers: list[Answer] = field(default_factory=list)
    deeds: list[Deed] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    _floor: Floor | None = None
    #: From when on every request is to be answered.
    _present: float | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answered(self, answer: Answer) -> None:
        """Hear an answer."""
        with self._lock:
            self.answers.append(answer)
            self._check_presence(answer)
            self._check_order(answer)

    def did(self, deed: Deed) -> None:
        """Hear what somebody did."""
        with self._lock:
            self.deeds.append(deed)

    def about_to_take_away(self, *, forgets: bool) -> None:
        """Hear, before it is done, that something may go; with the deployment, what was deployed is forgotten."""
        with self._lock:
            self._present = None
            if forgets:
                self._floor = None

    def about_to_go_back(self) -> None:
        """Hear that somebody asks for an older version."""
        with self._lock:
            self._floor = None

    def told(self, told: Told, after: Iterable[Answer]) -> None:
        """
        Hear what a run was told.

        :param after: what the gateway has answered right afterwards.
        """
        after = list(after)
        with self._lock:
            now = max((answer.began for answer in after), default=told.at)
            since = max(told.at - LAST_LOOK, told.tried)
            between = [
                one for one in self.deeds if one.by != told.order and since <= one.ended and one.began <= now
            ]
            if not between:
                self._check_serves(told, after)
            else:
                self._check_served(told, after, min(one.began for one in between))
            self._check_newest(told)
            if not any(one.takes_away for one in between):
                self._raise_floor(told)

    def _check_serves(self, told: Told, after: list[Answer]) -> None:
        wrong = sorted({f"{one.version} ({one.status})" for one in after if one.version != told.version})
        if wrong:
            self._note(told.at, f"run {told.order} was told that {told.version} serves, but answers: {wrong}")

    def _check_served(self, told: Told, after: list[Answer], disturbed: float) -> None:
        near = [one for one in self.answers if one.began >= disturbed - LAG] + after
        if not any(one.version == told.version for one in near):
            seen = sorted({one.version for one in near})
            self._note(
                told.at,
                f"run {told.order} was told that {told.version} serves, which it did neither then nor before others "
                f"acted: {seen}",
            )

    def _check_newest(self, told: Told) -> None:
        floor = self._floor
        if floor and floor.since < told.at - LAST_LOOK and not self._is_allowed(told.version, floor):
            self._note(
                told.at,
                f"run {told.order} was told that {told.version} serves, long after {floor.version} was proven by run "
                f"{floor.order}",
            )

    def _raise_floor(self, told: Told) -> None:
        order = told.order if told.own else self.orders.get(told.version, 0)
        if self._floor is None or order >= self._floor.order:
            self._floor = Floor(order, told.version, told.at)
        if self._present is None:
            self._present = told.at

    def _check_presence(self, answer: Answer) -> None:
        if self._present is not None and answer.began > self._present and answer.version == NOTHING:
            self._note(answer.began, f"what was proven is missing: HTTP {answer.status}")

    def _check_order(self, answer: Answer) -> None:
        floor = self._floor
        if floor is None or answer.version == NOTHING or answer.began <= floor.since:
            return
        if not self._is_allowed(answer.version, floor):
            self._note(
                answer.began,
                f"{answer.version} answers after {floor.version} was proven by run {floor.order}",
            )

    def _is_allowed(self, version: str, floor: Floor) -> bool:
        """Whether a version may serve: the proven one, one of a newer run, or one that nobody's run deploys."""
        order = self.orders.get(version)
        return order is None or version == floor.version or order > floor.order

    def _note(self, at: float, text: str) -> None:
        if not any(text in known for known in self.violations):
            self.violations.append(f"{at:.2f} {text}")
