"""Canaries: leading one, and what an approval decides."""

from __future__ import annotations

from airflow_provider_seldon.operators.canary.approval import (
    SeldonAbortCanaryOperator,
    SeldonPromoteCanaryOperator,
)
from airflow_provider_seldon.operators.canary.operator import SeldonCanaryOperator

__all__ = ["SeldonAbortCanaryOperator", "SeldonCanaryOperator", "SeldonPromoteCanaryOperator"]
