"""
Counters of how often a metric failed, was inconclusive or could not be measured, as in Argo Rollouts.

Immutable: a measurement creates new counters, so a lease can store them and another process can continue.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from airflow_provider_seldon.core.analysis.assessment import Grade


@dataclass(frozen=True, kw_only=True)
class Counters:
    """
    Counts of one metric within one step.

    :param failed: measurements that failed.
    :param inconclusive: measurements without a result.
    :param consecutive_errors: measurements that ended in an error, since the last that did not.
    :param consecutive_passes: measurements that passed, since the last that did not.
    """

    failed: int = 0
    inconclusive: int = 0
    consecutive_errors: int = 0
    consecutive_passes: int = 0

    def after(self, grade: Grade) -> Self:
        """Return the counters after one more measurement."""
        return type(self)(
            failed=self.failed + (grade is Grade.FAIL),
            inconclusive=self.inconclusive + (grade is Grade.INCONCLUSIVE),
            consecutive_errors=self.consecutive_errors + 1 if grade is Grade.ERROR else 0,
            consecutive_passes=self.consecutive_passes + 1 if grade is Grade.PASS else 0,
        )

    def to_json(self) -> dict[str, int]:
        """Return the counters that are not zero, as JSON data."""
        return {key: value for key, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back; an unknown value counts as zero."""
        given = {name: data.get(name) for name in cls.__dataclass_fields__}
        return cls(
            **{k: v for k, v in given.items() if isinstance(v, int) and not isinstance(v, bool) and v >= 0}
        )
