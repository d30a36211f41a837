"""Probes of the process kubelet that need no process."""

from __future__ import annotations

import asyncio

import pytest

from airflow_provider_seldon.local.kubelet.containers.process import Probe
from airflow_provider_seldon.local.kubelet.pods.probes import both


def saying(problem: str | None) -> Probe:
    async def probe() -> str | None:
        return problem

    return probe


@pytest.mark.parametrize(
    ("of_the_user", "of_the_server", "problem"),
    [(None, None, None), ("mine", None, "mine"), (None, "theirs", "theirs"), ("mine", "theirs", "mine")],
)
def test_a_server_is_ready_when_the_users_probe_succeeds_as_well(
    of_the_user: str | None, of_the_server: str | None, problem: str | None
) -> None:
    assert asyncio.run(both(saying(of_the_user), saying(of_the_server))()) == problem  # type: ignore[arg-type]
