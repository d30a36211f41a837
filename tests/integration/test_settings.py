"""What section [seldon] of Airflow's configuration changes."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from airflow_provider_seldon.exceptions import RolloutFailedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from tests.clusters.misbehaviour import behaving
from tests.integration.test_deploy_operator import deploy


def failure(monkeypatch: pytest.MonkeyPatch, log_lines: int) -> list[str]:
    """The lines of the error of a deploy whose container ends at once."""
    monkeypatch.setenv("AIRFLOW__SELDON__FAILURE_LOG_LINES", str(log_lines))
    with pytest.raises(RolloutFailedError) as caught:
        deploy(model_server=behaving("crash"), on_failure="keep")
    return str(caught.value).splitlines()


@pytest.mark.parametrize("log_lines", [0, 1])
def test_a_failure_shows_no_more_of_a_log_than_it_may(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch, log_lines: int
) -> None:
    told = failure(monkeypatch, log_lines)
    containers = [line for line in told if line.startswith("- pod ")]
    assert containers
    shown = [line for line in told if line.startswith("    | ")]
    assert len(shown) <= log_lines * len(containers)
    read = [one for one in local_seldon.requests.entries() if one.path.endswith("/log")]
    assert bool(read) is bool(shown) is bool(log_lines)


def test_progress_is_logged_again_in_the_configured_interval(
    hook: SeldonHook, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once a minute by default, so once here."""

    def told() -> int:
        caplog.clear()
        with caplog.at_level(logging.INFO):
            hook.wait_for("not-there", deadline=time.time() + 3)
        return sum("there is no such SeldonDeployment yet" in one.getMessage() for one in caplog.records)

    assert told() == 1
    monkeypatch.setenv("AIRFLOW__SELDON__PROGRESS_INTERVAL", "1")
    assert told() >= 2
