"""Wait on a worker: the wait with the task's log and the diagnosis of a failure."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon import settings
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.core.readiness.judge import Verdict
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.exceptions import (
    DeletedError,
    InvalidModelServerError,
    ReplacedError,
    RolloutError,
    RolloutFailedError,
    RolloutTimeoutError,
)
from airflow_provider_seldon.kube.requests.diagnose import diagnose
from airflow_provider_seldon.kube.watch import wait

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Added to the error if a previous version was ready.
KEEPS_SERVING = "The previous version keeps serving."
#: Ending -> exception, and advice for the user.
ERRORS: dict[Ending, tuple[type[RolloutError], str]] = {
    Ending.FAILED: (RolloutFailedError, ""),
    Ending.WRONG: (RolloutFailedError, ""),
    Ending.TIMEOUT: (
        RolloutTimeoutError,
        "The rollout continues; a retry waits for it. Raise timeout if it needs longer.",
    ),
    Ending.DELETED: (DeletedError, "A retry deploys it again."),
    Ending.REPLACED: (ReplacedError, "Another writer deployed under this name; agree on one."),
}


class Progress:
    """
    Logs one line per change, and an unchanged line again from time to time, so that a long wait stays
    readable.

    :param name: name of the deployment.
    :param interval: seconds after which an unchanged line is logged again.
    :param logger: logger for the lines.
    """

    def __init__(self, name: str, *, interval: float, logger: logging.Logger = log) -> None:
        self._name = name
        self._interval = interval
        self._log = logger
        self._last = ""
        self._at = 0.0

    def __call__(self, verdict: Verdict) -> None:
        """Log a verdict."""
        line = f"{verdict.progress} ({verdict.reason})"
        if line == self._last and time.monotonic() - self._at < self._interval:
            return
        self._last, self._at = line, time.monotonic()
        self._log.info("%s: %s", self._name, line)


class Waiter:
    """
    Waits for deployments.

    :param target: their namespace.
    """

    def __init__(self, target: Target) -> None:
        self._target = target

    def wait(
        self,
        name: str,
        *,
        expected: Expectation | None,
        deadline: float,
        failure_policy: Mapping[str, Any] | None,
        patience: float = 0.0,
    ) -> Outcome:
        """See :meth:`SeldonHook.wait_for`."""
        interval = settings.progress_interval()
        outcome = asyncio.run(
            wait.wait(
                self._target.access,
                self._target.namespace,
                name,
                expected=expected,
                deadline=deadline,
                patience=patience,
                policy=policy_of(failure_policy),
                on_progress=Progress(name, interval=interval),
                progress_interval=interval,
            )
        )
        # A sensor checks again; only the timeout of a rollout itself needs a diagnosis.
        looks_again = outcome.ending is Ending.TIMEOUT and expected is None
        return outcome if looks_again else self.explain(outcome)

    def explain(self, outcome: Outcome) -> Outcome:
        """Add the diagnosis to a failed outcome, before anything is cleaned up."""
        if outcome.ending not in {Ending.FAILED, Ending.TIMEOUT} or outcome.diagnosis:
            return outcome
        lines = settings.failure_log_lines()
        target = self._target
        return outcome.explained(diagnose(target.client, outcome.name, redact=target.redact, log_lines=lines))


def policy_of(given: Mapping[str, Any] | None) -> FailurePolicy:
    """
    Read a failure policy.

    :raises InvalidModelServerError: names the field and the fix.
    """
    try:
        return FailurePolicy.from_json(given)
    except InvalidRequestError as error:
        raise InvalidModelServerError(str(error)) from None


def raise_for(outcome: Outcome, *, served_before: bool = False) -> None:
    """See :meth:`SeldonHook.raise_for_outcome`."""
    if outcome.ending is Ending.READY:
        return
    kind, advice = ERRORS[outcome.ending]
    if served_before and outcome.ending in {Ending.FAILED, Ending.TIMEOUT}:
        advice = f"{KEEPS_SERVING} {advice}"
    where = f"{outcome.namespace}/{outcome.name}"
    text = f"{where} {_ENDED[outcome.ending]}: {outcome.reason}: {outcome.message}. {advice}".rstrip()
    raise kind(
        f"{text}\n{outcome.diagnosis}" if outcome.diagnosis else text, reason=outcome.reason, deployment=where
    )


_ENDED = {
    Ending.FAILED: "does not become ready",
    Ending.WRONG: "is ready, but fails its smoke test",
    Ending.TIMEOUT: "did not become ready in time",
    Ending.DELETED: "was deleted during the wait",
    Ending.REPLACED: "was replaced during the wait",
}
