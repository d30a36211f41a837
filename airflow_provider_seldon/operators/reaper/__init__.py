"""The reaper: cleans up abandoned canaries and expired deployments, on a schedule."""

from __future__ import annotations

from airflow_provider_seldon.operators.reaper.operator import SeldonReaperOperator

__all__ = ["SeldonReaperOperator"]
