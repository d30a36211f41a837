"""The retry policy made of the exceptions, where Airflow has retry policies."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_seldon import exceptions
from airflow_provider_seldon.exceptions import SeldonError
from airflow_provider_seldon.retries import hopeless_errors, seldon_retry_policy
from tests.airflow_version import AIRFLOW_3_3

needs_policies = pytest.mark.skipif(not AIRFLOW_3_3, reason="this Airflow has no retry policies")
ERRORS: list[type[SeldonError]] = [
    value for value in vars(exceptions).values() if isinstance(value, type) and issubclass(value, SeldonError)
]


def decision(error: BaseException, **arguments: Any) -> tuple[str, timedelta | None]:
    made = seldon_retry_policy(**arguments).evaluate(error, try_number=1, max_tries=3)
    return made.action.value, made.retry_delay


@needs_policies
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_a_task_fails_at_once_where_no_retry_helps_and_else_as_it_says(error: type[SeldonError]) -> None:
    expected = ("fail", None) if not error.retryable else ("default", None)
    if issubclass(error, exceptions.ServerUnavailableError):
        expected = ("retry", timedelta(minutes=1))
    assert decision(error("it went wrong")) == expected


@needs_policies
def test_the_delay_for_a_server_that_does_not_answer_can_be_chosen() -> None:
    error = exceptions.ServerUnavailableError("HTTP 503", status=503)
    assert decision(error, unavailable_delay=timedelta(seconds=5)) == ("retry", timedelta(seconds=5))


@needs_policies
def test_errors_of_others_are_retried_as_the_task_says() -> None:
    assert decision(ValueError("not ours")) == ("default", None)


@needs_policies
def test_a_rule_of_ones_own_goes_first() -> None:
    from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

    mine = RetryRule(exception=exceptions.RolloutFailedError, action=RetryAction.FAIL)
    policy = ExceptionRetryPolicy(rules=[mine, *seldon_retry_policy().rules])
    for error in (exceptions.RolloutFailedError, exceptions.ForbiddenError):
        assert policy.evaluate(error("x"), 1, 3).action is RetryAction.FAIL


@needs_policies
def test_the_policy_survives_being_stored() -> None:
    policy = seldon_retry_policy()
    stored = type(policy).deserialize(policy.serialize())
    assert stored.evaluate(exceptions.RejectedError("x"), 1, 3).action.value == "fail"


@pytest.mark.skipif(AIRFLOW_3_3, reason="this Airflow has retry policies")
def test_an_airflow_without_policies_says_from_which_version_on_there_are() -> None:
    with pytest.raises(RuntimeError, match=r"exist from Airflow 3\.3 on; this is "):
        seldon_retry_policy()


def test_only_what_the_tasks_own_input_decides_is_never_retried_by_airflow_itself() -> None:
    final = {error for error in ERRORS if issubclass(error, AirflowFailException)}
    assert {error.__name__ for error in final} == {
        *("InvalidModelServerError", "StaleRunError", "DeployDecisionError", "TurnedDownError"),
        *("DeploymentFailedError", "CanaryAbortedError"),
    }
    assert final <= set(hopeless_errors())
