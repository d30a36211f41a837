"""A user's own function that checks an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AnswerTest:
    """
    Holds a function that checks whether an answer is as expected.

    Airflow 3.3 calls a function in a template field, with the context and a Jinja environment; it does not
    call this.

    :param function: takes the decoded answer; its result counts as true or false.
    """

    function: Callable[[Any], Any]

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"AnswerTest({name})"

    @staticmethod
    def wrapped(expected: Any) -> Any:
        """Return a function in a form that survives Airflow's templating; anything else as it is."""
        # An XCom is callable in a DAG file, but is not a function.
        if callable(expected) and not hasattr(expected, "resolve"):
            return AnswerTest(expected)
        return expected
