"""The options of Seldon Core on this machine."""

from __future__ import annotations

import dataclasses

from airflow_provider_seldon.local.cluster import Lies, LocalOptions, OperatorFaults


def test_the_former_names_of_the_operators_faults_still_work() -> None:
    options = LocalOptions(lies=Lies(operator_delay=2.0))
    assert options.operator_faults == OperatorFaults(operator_delay=2.0)
    assert dataclasses.replace(options, namespace="models").operator_faults == options.operator_faults
    assert LocalOptions().operator_faults == OperatorFaults.none()
