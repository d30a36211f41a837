"""
A retry policy built from the exceptions' ``retryable``, for Airflow 3.3 and later::

    from airflow_provider_seldon.retries import seldon_retry_policy

    with DAG(..., default_args={"retries": 5, "retry_policy": seldon_retry_policy()}):
        SeldonDeployModelOperator(...)

Without a policy, and before Airflow 3.3, only errors that are an ``AirflowFailException`` end the retries.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_seldon.exceptions import SeldonError, ServerUnavailableError

if TYPE_CHECKING:
    from airflow.sdk import ExceptionRetryPolicy


def seldon_retry_policy(*, unavailable_delay: timedelta = timedelta(minutes=1)) -> ExceptionRetryPolicy:
    """
    Return a policy that fails a task at once if a retry cannot help, and retries it otherwise.

    A ``retryable`` error is retried with the task's ``retries`` and ``retry_delay``, and so is an error from
    elsewhere. To treat a class differently, put your own ``RetryRule`` before the policy's ``rules``.

    :param unavailable_delay: how long to wait for an API server that did not respond
        (:class:`~airflow_provider_seldon.exceptions.ServerUnavailableError`), instead of the task's ``retry_delay``.
    :raises RuntimeError: this Airflow has no retry policies.
    """
    try:
        from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
    except ImportError:
        from airflow import __version__

        raise RuntimeError(
            f"Retry policies exist from Airflow 3.3 on; this is {__version__}. Omit retry_policy: errors in "
            "a task's own arguments end its retries anyway."
        ) from None
    return ExceptionRetryPolicy(
        rules=[
            RetryRule(
                exception=hopeless_errors(),
                action=RetryAction.FAIL,
                reason="a retry of the same task cannot help",
            ),
            RetryRule(
                exception=ServerUnavailableError,
                action=RetryAction.RETRY,
                retry_delay=unavailable_delay,
                reason="the API server did not respond",
            ),
        ]
    )


def hopeless_errors() -> list[type[BaseException] | str]:
    """Return the exceptions for which a retry of the same task cannot help, for your own rules."""
    return [error for error in _tree(SeldonError) if not error.retryable]


def _tree(error: type[SeldonError]) -> Iterator[type[SeldonError]]:
    yield error
    for below in error.__subclasses__():
        yield from _tree(below)
