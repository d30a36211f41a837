"""Lets many canaries happen on one cluster with one Prometheus, several at a time."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.canaries.doors import Doors
from tests.canaries.plan import Plan
from tests.canaries.scenario import Scenario
from tests.canaries.traffic import Traffic
from tests.histories.crowd import AT_ONCE, be_quiet, crowded_cluster
from tests.prometheus import prometheus

#: Seconds between two scrapes.
INTERVAL = 0.5


def happen(seed: int, numbers: Iterable[int], *, istio: bool, at_once: int = AT_ONCE) -> list[Scenario]:
    """
    Let some canaries happen on their own cluster.

    :param istio: the gateway goes by what VirtualServices say.
    """
    with ExitStack() as stack:
        local = stack.enter_context(crowded_cluster(seed, istio=istio))
        traffic = stack.enter_context(Traffic(local.gateway_url))
        doors = Doors(local._metrics.url)
        traffic.call(doors.open())
        stack.callback(lambda: traffic.call(doors.close()))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canaries-")))
        jobs = [doors.scrape_config(interval=INTERVAL)]
        doors.lead_to(stack.enter_context(prometheus(folder, jobs)).url)

        def one(number: int) -> Scenario:
            scenario = Scenario(local, doors, traffic, Plan.of(seed, number))
            scenario.happen()
            return scenario

        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(one, numbers))


def told(seed: int, numbers: list[int], istio: bool) -> tuple[Counter[str], list[str]]:
    """Return how often canaries ended in which way, and what is to be told of each violation."""
    be_quiet()
    scenarios = happen(seed, numbers, istio=istio)
    wrong = [scenario.tell() for scenario in scenarios if scenario.oracle.violations]
    return Counter(scenario.oracle.how_it_ended for scenario in scenarios), wrong
