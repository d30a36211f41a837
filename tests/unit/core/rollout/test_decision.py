from __future__ import annotations

import pytest

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.rollout.decision import parse_decision


class NumpyLike:
    """What NumPy's booleans are to us: something with ``item``."""

    def __init__(self, value: bool) -> None:
        self._value = value

    def item(self) -> bool:
        return self._value


@pytest.mark.parametrize("value", [True, 1, "True", " true ", "yes", "1", NumpyLike(True)])
def test_yes(value: object) -> None:
    assert parse_decision(value) is True


@pytest.mark.parametrize("value", [False, 0, "False", "no", "0", NumpyLike(False)])
def test_no(value: object) -> None:
    assert parse_decision(value) is False


@pytest.mark.parametrize("value", [None, "", "None", "maybe", 2, 0.7, [], "[True]"])
def test_what_says_neither_is_refused_instead_of_guessed(value: object) -> None:
    with pytest.raises(InvalidRequestError, match="deploy_decision"):
        parse_decision(value)
