"""The reaper: what nobody needs any more is given up, on a schedule."""

from __future__ import annotations

from airflow_provider_seldon.operators.reaper.operator import SeldonReaperOperator

__all__ = ["SeldonReaperOperator"]
