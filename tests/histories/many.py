"""Lets many histories happen on one cluster, several at a time."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from tests.histories.crowd import AT_ONCE, be_quiet, crowded_cluster
from tests.histories.gateway import Gateway
from tests.histories.history import History
from tests.histories.plan import Plan


def happen(seed: int, numbers: Iterable[int], *, at_once: int = AT_ONCE) -> list[History]:
    """Let some histories happen on their own cluster."""
    with (
        crowded_cluster(seed) as local,
        Gateway(local) as gateway,
        ThreadPoolExecutor(at_once) as pool,
    ):

        def one(number: int) -> History:
            history = History(local, gateway, Plan.of(seed, number))
            history.happen()
            return history

        return list(pool.map(one, numbers))


def told(seed: int, numbers: list[int]) -> tuple[int, list[str]]:
    """Return how often a run was told that something serves, and what is to be told of each violation."""
    be_quiet()
    histories = happen(seed, numbers)
    wrong = [history.tell() for history in histories if history.oracle.violations]
    return sum(history.greens for history in histories), wrong
