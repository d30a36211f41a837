"""What is to happen in a history, all of it decided by one seed: runs, faults, kills, and what others do."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

from airflow_provider_seldon.local.faults import Fault

#: What a run does; ``again`` deploys the version of another run.
KINDS = {"deploy": 10, "broken": 3, "again": 2, "no": 2, "roll back": 1, "scale": 1}
BROKEN = ("crash", "image-pull", "init-crash", "never-ready")
#: What others do. Those of the second line may take away the running version, and nobody promises anything
#: against that.
EDITS = {"edit": 5, "scale": 2, "scale as many": 1, "number dropped": 3, "note": 2, "operator down": 7}
TAKING_AWAY = {"stop": 2, "delete": 3, "delete child": 2, "stop child": 2}
FAULTS = (
    {"status": 409},
    {"status": 429, "retry_after": 1},
    {"status": 500},
    {"status": 503},
    {"drop": "before"},
    {"drop": "after"},
    {"delay": 0.5},
    {"stall": 30.0},
    {"close_watch_after": 0.1},
)


@dataclass(frozen=True)
class Kill:
    """
    The end of a try.

    :param request: at which of its requests.
    :param moment: before the request was sent; after it was answered; while it is under way, so that it is carried out
        ``late``; or, of a deferred task, after ``seconds`` of its ``wait``.
    """

    request: int
    moment: Literal["before", "after", "late", "wait"]
    seconds: float


@dataclass(frozen=True)
class Run:
    """
    A DAG run with its one task.

    :param order: its place in the order of runs, from 1.
    :param kind: see ``KINDS``.
    :param uri: the model that it deploys.
    :param start: seconds from the beginning of the history.
    :param kills: what ends its tries, the first one first; None for a try that lives.
    """

    order: int
    kind: str
    uri: str
    start: float
    deferrable: bool
    timeout: float
    replicas: int | None
    behaviour: str
    on_failure: str
    kills: tuple[Kill | None, ...]


@dataclass(frozen=True)
class Deed:
    """What another client does at some moment; ``number`` tells edits apart, and gives a number of pods."""

    at: float
    what: str
    number: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """A history before it happens."""

    number: int
    runs: tuple[Run, ...]
    deeds: tuple[Deed, ...]
    faults: tuple[dict[str, object], ...] = field(repr=False)

    @classmethod
    def of(cls, seed: int, number: int) -> Plan:
        """Return the plan of one history."""
        dice = random.Random(f"{seed}-{number}")
        count = dice.choice((2, 2, 3, 3))
        runs = tuple(_run(dice, order, count) for order in range(1, count + 1))
        everything = EDITS | (TAKING_AWAY if dice.random() < 0.5 else {})
        deeds = tuple(
            Deed(
                at=dice.uniform(0.1, 4.0),
                what=dice.choices(list(everything), list(everything.values()))[0],
                number=dice.randint(1, 3) + 3 * index,
                seconds=dice.uniform(0.3, 2.0),
            )
            for index in range(dice.randint(0, 3))
        )
        # Few are struck hard: where everything goes wrong, little can be told.
        faults = tuple(
            {"skip": dice.randrange(25), **dice.choice(FAULTS)} for _ in range(dice.choice((0, 1, 2, 5)))
        )
        return cls(number, runs, tuple(sorted(deeds, key=lambda deed: deed.at)), faults)

    def faults_in(self, namespace: str) -> list[Fault]:
        """Return what goes wrong with the requests in a namespace."""
        return [Fault.from_json({"namespace": namespace, **one}) for one in self.faults]


def _run(dice: random.Random, order: int, count: int) -> Run:
    kind = dice.choices(list(KINDS), list(KINDS.values()))[0]
    other = dice.choice([one for one in range(1, count + 1) if one != order])
    kills = tuple(_kill(dice) if dice.random() < 0.35 else None for _ in range(2))
    return Run(
        order=order,
        kind=kind,
        uri=f"s3://models/{other if kind == 'again' else order}",
        # Half of them in the order of runs, so that one after the other is proven; the others in any, and at once.
        start=dice.choice((0.0, dice.uniform(0, 3), *2 * (1.2 * (order - 1) + dice.uniform(0, 1),))),
        deferrable=dice.random() < 0.4,
        timeout=4.0 if kind == "broken" else dice.choice((15.0, 15.0, 15.0, 15.0, 1.0)),
        replicas=dice.choice((None, None, 1, 2)),
        behaviour=dice.choice(BROKEN) if kind == "broken" else "",
        on_failure=dice.choice(("rollback", "rollback", "keep", "delete_if_created")),
        kills=kills,
    )


def _kill(dice: random.Random) -> Kill:
    moment = dice.choice(("before", "after", "late", "wait"))
    return Kill(request=dice.randint(1, 8), moment=moment, seconds=dice.uniform(0.05, 1.0))  # type: ignore[arg-type]
