"""Some of the random histories that ``make soak`` lets happen by the hundred."""

from __future__ import annotations

from tests.histories.many import happen


def test_racing_runs_with_faults_and_kills_report_the_truth_and_lose_nothing() -> None:
    histories = happen(seed=2026, numbers=range(8))
    assert [history.tell() for history in histories if history.oracle.violations] == []
    assert sum(history.greens for history in histories) > 4
