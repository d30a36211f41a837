"""Canaries: run one, and promote or abort it after an approval."""

from __future__ import annotations

from airflow_provider_seldon.operators.canary.approval import (
    SeldonAbortCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.operators.canary.operator import SeldonCanaryOperator

__all__ = ["SeldonAbortCanaryOperator", "SeldonCanaryOperator", "SeldonPromoteCanaryOperator"]
