from __future__ import annotations

import pickle

from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem


def test_an_error_lists_all_problems_one_per_line() -> None:
    error = InvalidRequestError(
        [Problem("a", "is bad", "mend it", value="1"), Problem("b", "is missing", "add it")]
    )
    assert str(error) == "a: is bad (got '1'). Fix: mend it.\nb: is missing. Fix: add it."
    assert isinstance(error, ValueError)


def test_an_error_survives_pickling_between_processes() -> None:
    error = InvalidRequestError.of("a", "is bad", "mend it")
    copied = pickle.loads(pickle.dumps(error))
    assert copied.problems == error.problems
    assert str(copied) == str(error)
