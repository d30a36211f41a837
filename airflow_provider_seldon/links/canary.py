"""
The link from a canary to a graph of the deciding query: ``[seldon] prometheus_link``.

It is built only from the task's verdicts (XCom ``canary``): a browser may not reach the host of a connection,
which may also contain a password.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.links.deployment import LINKS, Link, Quoted

if TYPE_CHECKING:
    from airflow.models.taskinstancekey import TaskInstanceKey
    from airflow.providers.common.compat.sdk import BaseOperator

    from airflow_provider_seldon.links.deployment import Announced


class SeldonCanaryGraphLink(Link):
    """A graph, in Prometheus or Grafana, of the query that decided on the canary's last completed step."""

    name = "Canary metric"

    def _url(self, announced: Announced) -> str:
        from airflow_provider_seldon import settings

        template = settings.prometheus_link()
        drawn = _drawn(announced.operator, announced.ti_key) if template else None
        if drawn is None:
            return ""
        announced.update(query=str(drawn["query"]), **_times(float(drawn["end"]), float(drawn["seconds"])))
        return template.format_map(Quoted(announced))


def _drawn(operator: BaseOperator, ti_key: TaskInstanceKey) -> Mapping[str, Any] | None:
    """Return the graph of the last step with a graph."""
    steps: Sequence[Mapping[str, Any]] | None = getattr(operator, "judged_steps", None)
    if not steps:
        from airflow.providers.common.compat.sdk import XCom

        told = XCom.get_value(ti_key=ti_key, key="canary")
        steps = told.get("steps") if isinstance(told, Mapping) else None
    return next((one["graph"] for one in reversed(steps or []) if one.get("graph")), None)


def _times(end: float, seconds: float) -> dict[str, str]:
    """Return the time range of a graph in the formats of Prometheus' page and of Grafana's."""
    return {
        "range": f"{max(1, round(seconds))}s",
        "end": datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "from_ms": str(round((end - seconds) * 1000)),
        "to_ms": str(round(end * 1000)),
    }


#: The links of a canary's task.
CANARY_LINKS: tuple[Link, ...] = (*LINKS, SeldonCanaryGraphLink())
