"""
Problems of a request, as data: the field, what is wrong, and the fix.

``core`` may not import Airflow, so these are plain ``ValueError``s; the operators and the hook turn them into
the provider's exceptions. The checks are elsewhere: see ``validation``, ``model_server`` and ``manifest``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """
    One problem of a request.

    :param field: path of the field as a user would write it, e.g. ``spec.predictors[0].graph.modelUri``.
    :param message: what is wrong. For a rule of Seldon Core's admission webhook this is the webhook's own
        text, so that users can search for it.
    :param fix: what to change.
    :param admission: whether Seldon Core's webhook itself refuses this. False for rules of the CRD's schema
        and for rules that only this provider adds.
    :param value: the offending value, if it is short enough to show.
    :param cause: the webhook's message, with its own path, e.g. ``spec.predictors[0].graph: Invalid value:
        "classifier": Can't find container for Predictive Unit``.
    """

    field: str
    message: str
    fix: str
    admission: bool = False
    value: str | None = None
    cause: str | None = None

    def __str__(self) -> str:
        shown = f" (got {self.value!r})" if self.value is not None else ""
        return f"{self.field}: {self.message}{shown}. Fix: {self.fix}."


class InvalidRequestError(ValueError):
    """
    An invalid request, with every problem that was found.

    It is deterministic: the same request fails in the same way, so a retry does not help.

    :param problems: at least one problem.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.problems)

    @classmethod
    def of(cls, field: str, message: str, fix: str, *, value: str | None = None) -> InvalidRequestError:
        """Return the error for a single problem."""
        return cls([Problem(field, message, fix, value=value)])

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)
