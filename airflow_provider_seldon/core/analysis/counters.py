"""
How often a metric failed, was inconclusive or could not be measured: Argo Rollouts' counters.

Immutable: a look makes new counters out of old ones, so they can travel in a lease and another process can go on.
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

    :param failed: looks that failed.
    :param inconclusive: looks without a result.
    :param consecutive_errors: measurements that failed, since the last that did not.
    :param consecutive_passes: looks that passed, since the last that did not.
    """

    failed: int = 0
    inconclusive: int = 0
    consecutive_errors: int = 0
    consecutive_passes: int = 0

    def after(self, grade: Grade) -> Self:
        """Return the counters after one more look."""
        return type(self)(
            failed=self.failed + (grade is Grade.FAIL),
            inconclusive=self.inconclusive + (grade is Grade.INCONCLUSIVE),
            consecutive_errors=self.consecutive_errors + 1 if grade is Grade.ERROR else 0,
            consecutive_passes=self.consecutive_passes + 1 if grade is Grade.PASS else 0,
        )

    def to_json(self) -> dict[str, int]:
        """Return what is not zero, as JSON data."""
        return {key: value for key, value in asdict(self).items() if value}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Read it back; what is not understood counts as zero."""
        given = {name: data.get(name) for name in cls.__dataclass_fields__}
        return cls(
            **{k: v for k, v in given.items() if isinstance(v, int) and not isinstance(v, bool) and v >= 0}
        )
