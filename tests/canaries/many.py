"""Lets many canaries happen on one cluster with one Prometheus, several at a time."""

from __future__ import annotations

import logging
import os
import tempfile
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.operator_faults import OperatorFaults
from airflow_provider_seldon.local.options import LocalOptions
from tests.canaries.doors import Doors
from tests.canaries.plan import Plan
from tests.canaries.scenario import Scenario
from tests.canaries.traffic import Traffic
from tests.histories.requests import noted
from tests.prometheus import prometheus

#: Canaries at a time, most of which are waiting, in each process.
AT_ONCE = 8
#: Seconds between two scrapes.
INTERVAL = 0.5


def happen(seed: int, numbers: Iterable[int], *, istio: bool, at_once: int = AT_ONCE) -> list[Scenario]:
    """
    Let some canaries happen on a cluster of their own.

    :param istio: the gateway goes by what VirtualServices say.
    """
    faults = OperatorFaults(
        operator_delay=0.2,
        deployment_status_delay=0.2,
        rollout_pause=0.1,
        transient_failed=0.2,
        transient_failed_seconds=0.1,
        mesh_delay=0.1,
        jitter=0.9,
        seed=seed,
    )
    options = LocalOptions(
        kubelet="simulated", operator_faults=faults, seed=seed, pod_startup=(0.02, 0.4), istio=istio
    )
    with ExitStack() as stack:
        local = stack.enter_context(LocalSeldon(options))
        traffic = stack.enter_context(Traffic(local.gateway_url))
        doors = Doors(local._metrics.url)
        traffic.call(doors.open())
        stack.callback(lambda: traffic.call(doors.close()))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="canaries-")))
        jobs = [doors.scrape_config(interval=INTERVAL)]
        doors.lead_to(stack.enter_context(prometheus(folder, jobs)).url)
        stack.enter_context(noted())
        before = os.environ.get("AIRFLOW_CONN_SELDON_DEFAULT")
        os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = local.airflow_connection()

        def one(number: int) -> Scenario:
            scenario = Scenario(local, doors, traffic, Plan.of(seed, number))
            scenario.happen()
            return scenario

        try:
            with ThreadPoolExecutor(at_once) as pool:
                return list(pool.map(one, numbers))
        finally:
            os.environ.pop("AIRFLOW_CONN_SELDON_DEFAULT")
            if before is not None:
                os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = before


def told(seed: int, numbers: list[int], istio: bool) -> tuple[Counter[str], list[str]]:
    """Return how often canaries ended in which way, and what is to be told of each violation."""
    logging.disable(logging.CRITICAL)
    # What Airflow logs by itself is far more than anybody reads, and this process tells by what it returns.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    scenarios = happen(seed, numbers, istio=istio)
    wrong = [scenario.tell() for scenario in scenarios if scenario.oracle.violations]
    return Counter(scenario.oracle.how_it_ended for scenario in scenarios), wrong
