"""
Links from a task to what it works on: the prediction endpoint, its API page, and a dashboard.

Airflow 3 asks the worker for them at the end of every attempt, also of one that ends in a deferral, and keeps the
answers as XComs. Airflow 2.11 asks its webserver whenever somebody looks, with a task that has no arguments rendered.
So a link is made of what the task has announced before its wait (see ``SeldonTask.announce``): what it remembers of
that, else its XComs. Nothing here asks a cluster, a connection or a gateway, and nothing raises: a link that is not
known is "", and Airflow shows none.
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
    What is known of a task and its deployment, each value looked up when it is asked for; "" where unknown.

    :param operator: the operator that ran; on Airflow 2.11 one that was read from a serialised DAG.
    :param ti_key: which task instance.
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
        """Return an argument of the operator that is a plain text, or has been rendered to one."""
        given = getattr(self.operator, key, None)
        return given if isinstance(given, str) and "{{" not in given and "{%" not in given else ""


class Link(BaseOperatorLink):
    """A link that is made of what a task has announced."""

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL; "" where it is not known."""
        try:
            return self._url(Announced(operator, ti_key))
        except Exception:  # whatever it is, it must not take the task's other links with it
            log.warning("The link %s of %s cannot be made", self.name, ti_key, exc_info=True)
            return ""

    @abstractmethod
    def _url(self, announced: Announced) -> str:
        """Make the URL."""


class SeldonPredictionLink(Link):
    """
    The URL that takes predictions, for copying: it answers POST, and a browser sends GET.

    There is none where the connection has no ``ingress_url``.
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
    """A page of one's own about the deployment, such as one of Grafana: ``[seldon] dashboard_url``."""

    name = "Dashboard"

    def _url(self, announced: Announced) -> str:
        from airflow_provider_seldon import settings

        template = settings.dashboard_url()
        if not template or not announced["name"] or not announced["namespace"]:
            return ""
        return template.format_map(Quoted(announced))


class Quoted(dict[str, str]):
    """Values as they may stand anywhere in a URL."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__()
        self._values = values

    def __missing__(self, key: str) -> str:
        return quote(self._values[key], safe="")


#: The links of every task that works on one deployment.
LINKS: tuple[Link, ...] = (SeldonPredictionLink(), SeldonApiDocsLink(), SeldonDashboardLink())
