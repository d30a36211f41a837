"""The reaper: cleans up what nobody needs any more, on a schedule."""

from __future__ import annotations

from airflow_provider_seldon.operators.reaper.operator import SeldonReaperOperator

__all__ = ["SeldonReaperOperator"]
