"""A cluster for many random stories at a time: simulated pods, and an operator with every fault, quick ones."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.operator_faults import OperatorFaults
from airflow_provider_seldon.local.options import LocalOptions
from tests.histories.requests import noted

#: Stories at a time, most of which are waiting, in each process.
AT_ONCE = 8


@contextmanager
def crowded_cluster(seed: int, *, istio: bool = False) -> Iterator[LocalSeldon]:
    """
    Run a cluster that the default connection leads to, whose requests are noted.

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
    with LocalSeldon(options) as local, noted():
        before = os.environ.get("AIRFLOW_CONN_SELDON_DEFAULT")
        os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = local.airflow_connection()
        try:
            yield local
        finally:
            os.environ.pop("AIRFLOW_CONN_SELDON_DEFAULT")
            if before is not None:
                os.environ["AIRFLOW_CONN_SELDON_DEFAULT"] = before


def be_quiet() -> None:
    """Silence a process that tells by what it returns: what Airflow logs by itself is far more than anybody reads."""
    logging.disable(logging.CRITICAL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
