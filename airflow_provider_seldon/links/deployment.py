"""
Links from a task to its deployment: the prediction endpoint, its API page, and a dashboard.

On Airflow 3 the worker computes them at the end of every try, also of one that ends in a deferral, and
Airflow keeps them as XComs. On Airflow 2.11 the webserver computes them on every view, from a task whose
arguments are not rendered. So a link is built from the data that the task announced before its wait (see
``SeldonTask.announce``): from the operator's memory, else from its XComs. Nothing here reads a cluster, a
connection or a gateway, and nothing raises: an unknown link is "", and Airflow shows none.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.models.taskinstancekey import TaskInstanceKey
    from airflow.providers.common.compat.sdk import BaseOperator

log = logging.getLogger(__name__)


class Announced(dict[str, str]):
    """
    What is known about a task and its deployment; each value is looked up on demand, "" if unknown.

    :param operator: the operator that ran; on Airflow 2.11 one from a serialised DAG.
    :param ti_key: key of the task instance.
    """

    def __init__(self, operator: BaseOperator, ti_key: TaskInstanceKey) -> None:
        super().__init__({part: str(getattr(ti_key, part)) for part in ("dag_id", "task_id", "run_id")})
        self.operator = operator
        self.ti_key = ti_key

    def __missing__(self, key: str) -> str:
        info = getattr(self.operator, "announced", None)
        self[key] = self._pushed(key) or self._argument(key) if info is None else str(getattr(info, key))
        return self[key]

    def _pushed(self, key: str) -> str:
        from airflow.providers.common.compat.sdk import XCom

        return str(XCom.get_value(ti_key=self.ti_key, key=key) or "")

    def _argument(self, key: str) -> str:
        """Return an argument of the operator that is plain text, or was rendered to it."""
        given = getattr(self.operator, key, None)
        return given if isinstance(given, str) and "{{" not in given and "{%" not in given else ""


class Link(BaseOperatorLink):
    """A link that is built from what a task has announced."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL; "" if unknown."""
        try:
            return self._url(Announced(operator, ti_key))
        except Exception:  # no error may hide the task's other links
            log.warning("The link %s of %s cannot be built", self.name, ti_key, exc_info=True)
            return ""

    @abstractmethod
    def _url(self, announced: Announced) -> str:
        """Build the URL."""


class SeldonPredictionLink(Link):
    """
    The URL for predictions, to copy: it accepts POST, and a browser sends GET.

    There is none if the connection has no ``ingress_url``.
    """

    name = "Prediction endpoint"

    def _url(self, announced: Announced) -> str:
        return announced["prediction_url"]


class SeldonApiDocsLink(Link):
    """The deployment's own API page; there is none in the tensorflow protocol."""

    name = "Seldon API"

    def _url(self, announced: Announced) -> str:
        from airflow_provider_seldon.core.prediction.endpoint import docs_url_of

        return docs_url_of(announced["prediction_url"])


class SeldonDashboardLink(Link):
    """Your own page about the deployment, such as a Grafana dashboard: ``[seldon] dashboard_url``."""

    name = "Dashboard"

    def _url(self, announced: Announced) -> str:
        from airflow_provider_seldon import settings

        template = settings.dashboard_url()
        if not template or not announced["name"] or not announced["namespace"]:
            return ""
        return template.format_map(Quoted(announced))


class Quoted(dict[str, str]):
    """Values, percent-encoded for any place in a URL."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, key: str) -> str:
        return quote(self._values[key], safe="")


#: The links of every task that works on one deployment.
LINKS: tuple[Link, ...] = (SeldonPredictionLink(), SeldonApiDocsLink(), SeldonDashboardLink())
