"""Single arguments: what is read from whatever a user gives, and that nothing else than the documented is raised."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.request import argument_rules


class Scalar:
    """Like a NumPy scalar."""

    ndim = 0

    def __init__(self, value: Any) -> None:
        self._value = value

    def item(self) -> Any:
        return self._value

    def __index__(self) -> int:
        return int(self._value)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**300, max_value=10**400)
    | st.floats()
    | st.text()
    | st.binary()
    | st.timedeltas()
    | st.sampled_from(["None", "nan", "1e999", "[[" * 5000, "{}", "null", "١٢", "1_0", "iris\n", "../x"])
    | st.builds(Scalar, st.booleans() | st.floats())
    | st.builds(object)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner),
    max_leaves=6,
)


def problems_of(name: str, value: Any) -> tuple[Problem, ...]:
    try:
        argument_rules.check({name: value}, argument_rules.RULES)
    except InvalidRequestError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("name", argument_rules.RULES)
@settings(max_examples=40, deadline=None)
@drawn(value=VALUES)
def test_whatever_is_given_is_read_or_refused_by_name(name: str, value: Any) -> None:
    assert all(re.match(rf"{name}\b", problem.field) for problem in problems_of(name, value))


@pytest.mark.parametrize(
    ("name", "value", "read"),
    [
        ("timeout", timedelta(minutes=2), 120.0),
        ("timeout", "30", 30.0),
        ("timeout", 5, 5),
        ("replicas", "3", 3),
        ("replicas", 2.0, 2),
        ("replicas", Scalar(4), 4),
        ("replicas", "", ""),
        ("replace", Scalar(False), False),
        ("model_server", '{"replicas": 2}', {"replicas": 2}),
        ("env", '[{"name": "A", "value": "1"}]', [{"name": "A", "value": "1"}]),
        ("metrics", '{"auc": 0.9}', {"auc": 0.9}),
        ("data", "[[1, 2]]", [[1, 2]]),
        ("data", "42", "42"),
        ("data", "true", "true"),
        ("expected", "[[1]]", [[1]]),
    ],
)
def test_what_a_template_or_numpy_makes_of_a_value_is_read(name: str, value: Any, read: Any) -> None:
    assert argument_rules.check({name: value}, argument_rules.RULES)[name] == read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout", math.inf),
        ("timeout", math.nan),
        ("timeout", -1),
        ("timeout", True),
        ("timeout", 10**400),
        ("replicas", -1),
        ("replicas", 1.5),
        ("replicas", 2**31),
        ("replicas", "+2"),
        ("replace", "False"),
        ("replace", 1),
        ("name", "None"),
        ("name", "a/b"),
        ("name", "iris\n"),
        ("namespace", "a.b"),
        ("model_name", "None"),
        ("model_name", " iris"),
        ("model_server", "{'replicas': 2}"),
        ("model_server", [("replicas", 2)]),
        ("image_pull_secrets", "registry"),
        ("tolerance", math.inf),
        ("data", [[math.nan]]),
        ("data", {"data": {"ndarray": [[object()]]}}),
        ("expected", [[math.nan]]),
        ("expected", "None"),
        ("expected", 0.5),
        ("failure_policy", {"suspect_after": math.nan}),
        ("failure_policy", [1]),
        ("events", "failed"),
    ],
)
def test_what_is_no_such_argument_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequestError, match=name):
        argument_rules.check({name: value}, argument_rules.RULES)


@pytest.mark.parametrize("value", ["{{ x }}", "{% if x %}a{% endif %}", [{"a": "{{ x }}"}]])
def test_a_template_is_not_changed_when_the_dag_is_parsed(value: Any) -> None:
    assert argument_rules.check({"name": value}, argument_rules.RULES, parsing=True) == {"name": value}


def test_a_container_that_holds_itself_ends_the_search_for_templates() -> None:
    holding: list[Any] = []
    holding.append(holding)
    assert not argument_rules.is_template(holding)
