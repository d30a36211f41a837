"""A user's own function that judges an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AnswerTest:
    """
    Holds a function that says whether an answer is as expected.

    Airflow 3.3 calls a function that it finds in a template field, with the context and a Jinja environment; it leaves
    this alone.

    :param function: takes the decoded answer; what it returns counts as true or false.
    """

    function: Callable[[Any], Any]

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        return f"AnswerTest({name})"

    @staticmethod
    def wrapped(expected: Any) -> Any:
        """Return a function in a form that survives Airflow's templating; anything else as it is."""
        # An XCom can be called in a DAG file, but is none.
        if callable(expected) and not hasattr(expected, "resolve"):
            return AnswerTest(expected)
        return expected
