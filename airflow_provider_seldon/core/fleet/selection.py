"""Selection among the deployments of a fleet, from the query of a URL: filter, search, order, page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlencode

from airflow_provider_seldon.core.fleet.view import Condition, DeploymentView

#: Deployments on one page, and the maximum that a URL may request.
PART = 100
MOST = 1000
_URGENT = [
    Condition.FAILED,
    Condition.PROGRESSING,
    Condition.DELETING,
    Condition.SERVING,
    Condition.ASLEEP,
]


def _urgency(condition: str) -> int:
    """Return the place of a condition in the list; one of a later release comes first."""
    return _URGENT.index(Condition(condition)) if condition in _URGENT else -1


#: Name of an order -> its sort key.
ORDERS: Mapping[str, Callable[[DeploymentView], Any]] = {
    "condition": lambda one: (_urgency(one.condition), one.namespace, one.name),
    "name": lambda one: (one.name, one.namespace, one.connection),
    "model": lambda one: (one.model_name, one.name),
    "proven": lambda one: (one.proven_at, one.name),
    "owner": lambda one: (one.dag_id, one.task_id, one.name),
    "expires": lambda one: (not one.expires, one.expires, one.name),
}
#: Fields that are compared for equality.
_EQUAL = ("connection", "namespace", "condition", "dag_id", "task_id")
_SEARCHED = (
    "name",
    "namespace",
    "model_name",
    "model_uri",
    "implementation",
    "dag_id",
    "task_id",
    "run_id",
    "revision",
    "reason",
    "cause",
)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """
    The selection in a URL; empty texts select everything.

    :param q: words that must all occur in the view of a deployment; case does not matter.
    :param connection: must be equal, like the next four.
    :param badge: must have this badge.
    :param sort: one of :data:`ORDERS`, with a leading ``-`` for the reverse order.
    :param page: page number, from 1.
    :param size: deployments on a page.
    """

    q: str = ""
    connection: str = ""
    namespace: str = ""
    condition: str = ""
    dag_id: str = ""
    task_id: str = ""
    badge: str = ""
    sort: str = "condition"
    page: int = 1
    size: int = PART

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Self:
        """Read the query of a URL; values that are not understood are ignored."""
        texts = {key: query.get(key, "").strip() for key in (*_EQUAL, "q", "badge")}
        sort = query.get("sort", "")
        return cls(
            **texts,
            sort=sort if sort.removeprefix("-") in ORDERS else "condition",
            page=_number(query.get("page"), 1, 1_000_000),
            size=_number(query.get("size"), PART, MOST),
        )

    def choose(self, views: Iterable[DeploymentView]) -> list[DeploymentView]:
        """Return the selected deployments of all pages, in order."""
        words = self.q.casefold().split()
        chosen = [one for one in views if self._fits(one) and all(word in _text(one) for word in words)]
        return sorted(chosen, key=ORDERS[self.sort.removeprefix("-")], reverse=self.sort.startswith("-"))

    def part(self, chosen: Sequence[DeploymentView]) -> Sequence[DeploymentView]:
        """Return the selected page of them."""
        return chosen[(self.page - 1) * self.size : self.page * self.size]

    def pages(self, count: int) -> int:
        """Return the number of pages."""
        return max(1, -(-count // self.size))

    def address(self, **changes: Any) -> str:
        """Return the query of the URL with changes; it begins with ``?``."""
        plain = {**vars(self), **({"page": 1} if "page" not in changes else {}), **changes}
        default = vars(Selection())
        return "?" + urlencode({key: value for key, value in plain.items() if value != default[key]})

    def toggled(self, order: str) -> str:
        """Return the query that sorts by a column; in reverse if it already does."""
        return self.address(sort=f"-{order}" if self.sort == order else order)

    def _fits(self, view: DeploymentView) -> bool:
        same = all(getattr(self, key) in ("", getattr(view, key)) for key in _EQUAL)
        return same and (not self.badge or self.badge in view.badges)


def _text(view: DeploymentView) -> str:
    return "\n".join(getattr(view, key) for key in _SEARCHED).casefold()


def _number(text: str | None, default: int, most: int) -> int:
    # Python refuses to read longer numbers.
    digits = (text or "")[:20]
    return min(int(digits), most) if digits.isascii() and digits.isdecimal() and int(digits) else default
