"""What is to happen to a canary, all of it decided by one seed: how the versions behave, and what comes between."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Literal

from airflow_provider_seldon.local.faults import Fault
from tests.histories.plan import FAULTS, Kill

#: How a candidate behaves: what its predictor's annotations order, and whether it may ever be promoted.
CANDIDATES: dict[str, dict[str, str]] = {
    "good": {},
    "errs": {"local.seldon/error-rate": "0.6"},
    "errs later": {},
    "is slow": {"local.seldon/latency": "1.5"},
    "crashes": {"local.seldon/behaviour": "crash"},
    "is never ready": {"local.seldon/behaviour": "never-ready"},
    "crashes later": {"local.seldon/behaviour": "crash-after:5"},
}
_LIKELY = {
    "good": 12,
    "errs": 5,
    "errs later": 3,
    "is slow": 3,
    "crashes": 2,
    "is never ready": 1,
    "crashes later": 2,
}
#: What comes between.
EVENTS = {
    "nothing": 4,
    "no traffic": 2,
    "scrape gap": 3,
    "Prometheus down": 3,
    "operator down": 3,
    "newer run": 3,
    "older run": 2,
    "baseline crashes": 2,
}
#: Who ends a canary, or leaves it: its own task; a user; nobody, so that a teardown or the reaper has to.
Fate = Literal[
    "led", "led", "killed", "ended by user", "teardown", "abandoned", "approved", "rejected", "forgotten"
]
_FATES = {
    "led": 8,
    "killed": 5,
    "ended by user": 1,
    "teardown": 1,
    "abandoned": 2,
    "approved": 2,
    "rejected": 1,
    "forgotten": 1,
}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """
    A canary before it happens.

    :param candidate: see ``CANDIDATES``.
    :param event: see ``EVENTS``.
    :param at: seconds after which that comes, counted from the first answer of the candidate, or from the beginning of
        the task where it never answers.
    :param seconds: for how long.
    :param fate: see ``Fate``.
    :param kills: what ends its tries, the first one first.
    :param shadow: the first step is a shadow.
    :param plain: the newer run deploys without a canary.
    :param timeout: seconds for a write to come to serve.
    """

    number: int
    candidate: str
    event: str
    at: float
    seconds: float
    fate: str
    kills: tuple[Kill | None, ...]
    shadow: bool
    deferrable: bool
    plain: bool
    timeout: float
    faults: tuple[dict[str, object], ...] = field(repr=False)

    @classmethod
    def of(cls, seed: int, number: int) -> Plan:
        """Return the plan of one canary."""
        dice = random.Random(f"canary-{seed}-{number}")
        candidate = dice.choices(list(_LIKELY), list(_LIKELY.values()))[0]
        event = dice.choices(list(EVENTS), list(EVENTS.values()))[0]
        fate = dice.choices(list(_FATES), list(_FATES.values()))[0]
        killed = {"killed": dice.choice((1, 1, 2)), "teardown": 1, "abandoned": 1, "ended by user": 1}.get(
            fate, 0
        )
        hopeless = event == "no traffic" or CANDIDATES[candidate].get("local.seldon/behaviour")
        return cls(
            number=number,
            candidate=candidate,
            event=event,
            at=dice.uniform(0.0, 5.0),
            seconds=dice.uniform(1.0, 6.0),
            fate=fate,
            kills=tuple(_kill(dice) for _ in range(killed)),
            shadow=dice.random() < 0.3,
            deferrable=dice.random() < 0.6,
            plain=dice.random() < 0.5,
            timeout=12.0 if hopeless else 90.0,
            faults=tuple(
                {"skip": dice.randrange(30), **dice.choice(FAULTS)} for _ in range(dice.choice((0, 0, 1, 2)))
            ),
        )

    @property
    def annotations(self) -> dict[str, str]:
        """Of the candidate's predictor."""
        return CANDIDATES[self.candidate]

    @property
    def bad(self) -> bool:
        """Whether the candidate must not be promoted: it is bad, or nothing can be known of it."""
        return self.candidate != "good" or self.event == "no traffic"

    @property
    def clear(self) -> bool:
        """Whether nothing speaks against promoting it: a good one with traffic, led by somebody to its end."""
        undisturbed = self.event not in {"newer run", "baseline crashes"}
        return not self.bad and undisturbed and self.fate in {"led", "killed", "approved"}

    def faults_in(self, namespace: str) -> list[Fault]:
        """Return what goes wrong with the requests in a namespace."""
        return [Fault.from_json({"namespace": namespace, **one}) for one in self.faults]

    def arguments(self) -> dict[str, Any]:
        """Return what the plan says about the task's arguments."""
        held = self.fate in {"approved", "rejected", "forgotten"}
        return {"deferrable": self.deferrable, "timeout": self.timeout} | ({"hold_at": 40} if held else {})


def _kill(dice: random.Random) -> Kill:
    moment = dice.choice(("before", "after", "late", "wait", "wait"))
    return Kill(request=dice.randint(4, 24), moment=moment, seconds=dice.uniform(0.1, 6.0))  # type: ignore[arg-type]
