"""Lets many histories happen on one cluster, several at a time."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.operator_faults import OperatorFaults
from airflow_provider_seldon.local.options import LocalOptions
from tests.histories.gateway import Gateway
from tests.histories.history import History
from tests.histories.plan import Plan
from tests.histories.requests import noted

#: Histories at a time, most of which are waiting, in each process.
AT_ONCE = 8


def happen(seed: int, numbers: Iterable[int], *, at_once: int = AT_ONCE) -> list[History]:
    """Let some histories happen on a cluster of their own."""
    operator_faults = OperatorFaults(
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
        kubelet="simulated", operator_faults=operator_faults, seed=seed, pod_startup=(0.02, 0.4)
    )
    with (
        LocalSeldon(options) as local,
        Gateway(local) as gateway,
        noted(),
        ThreadPoolExecutor(at_once) as pool,
    ):
        before = os.environ.get("AIRFLOW_CONN_SELDON_DEFAULT")
        os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = local.airflow_connection()

        def one(number: int) -> History:
            history = History(local, gateway, Plan.of(seed, number))
            history.happen()
            return history

        try:
            return list(pool.map(one, numbers))
        finally:
            os.environ.pop("AIRFLOW_CONN_SELDON_DEFAULT")
            if before is not None:
                os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = before


def told(seed: int, numbers: list[int]) -> tuple[int, list[str]]:
    """Return how often a run was told that something serves, and what is to be told of each violation."""
    logging.disable(logging.CRITICAL)
    # What Airflow logs by itself is far more than anybody reads, and this process tells by what it returns.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    histories = happen(seed, numbers)
    wrong = [history.tell() for history in histories if history.oracle.violations]
    return sum(history.greens for history in histories), wrong
