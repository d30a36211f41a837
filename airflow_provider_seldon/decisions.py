"""
Decision objects for ``deploy_decision``::

    from airflow_provider_seldon.decisions import AllOf, BeatsServing, MetricThreshold

    SeldonDeployModelOperator(
        metrics="{{ ti.xcom_pull(task_ids='evaluate') | tojson }}",
        deploy_decision=AllOf(MetricThreshold("auc", at_least=0.8), BeatsServing("auc", minimum_gain=0.01)),
        ...
    )

Cheap to import when a DAG is parsed: pure Python, neither Airflow nor Kubernetes. This module only
re-exports: the rules are in ``core.rollout.decision_rules``, ``AskFunction``, ``Decision`` and ``Evidence`` in
``core.rollout.decision``.
"""

from airflow_provider_seldon.core.rollout.decision import AskFunction, Decision, Evidence
from airflow_provider_seldon.core.rollout.decision_rules import (
    AllOf,
    AnyOf,
    BeatsServing,
    MetricThreshold,
    RunningVersionFails,
)

__all__ = [
    "AllOf",
    "AnyOf",
    "AskFunction",
    "BeatsServing",
    "Decision",
    "Evidence",
    "MetricThreshold",
    "RunningVersionFails",
]
