"""
Sample requests to a version that has just become ready, before anything older is given up.

The requests go through the gateway, as everybody's do, so they cannot be addressed to a version. That the new one
answers follows from when they are sent: only when every child has finished rolling out, and the last pod that is
ending is gone, for a gateway that lags may still send requests there. That every predictor is asked, where traffic is
split among several, follows from the answers where they say who gave them (``core.prediction.traffic_split``), else
from the number of requests. A shadow's answers are seen by nobody, so it is not tested.

A gateway that is not ready is retried for a while (see ``ingress``), and so is one whose answer is wrong: only one
that is given again counts.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.prediction.endpoint import parse_response
from airflow_provider_seldon.core.prediction.payload import UnexpectedResponseError
from airflow_provider_seldon.core.prediction.sample_request import SampleRequest, shortened
from airflow_provider_seldon.core.prediction.traffic_split import (
    answered_by,
    answering_predictors,
    requests_to_meet_all,
)
from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.delivery.prediction.predict import predict
from airflow_provider_seldon.exceptions import ForbiddenError, InvalidModelServerError, PredictionError

if TYPE_CHECKING:
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Seconds during which a wrong answer is retried.
SETTLE = 3.0
#: Seconds during which a gateway that is not ready is retried.
RETRY_FOR = 30.0
#: Seconds between two tries.
PAUSE = 0.5
#: Seconds to wait for the end of pods that are ending; Seldon gives them 20.
DRAIN = 60.0
#: How certain it is that each of several predictors has answered, and how often a sample is sent for that at most.
CERTAINTY = 0.999
MOST = 500


class SmokeTest:
    """
    Asks a deployment sample requests.

    :param target: its namespace; the ingress gateway has a URL.
    :param samples: the requests.
    """

    def __init__(self, target: Target, samples: Sequence[SampleRequest]) -> None:
        self._target = target
        self._samples = samples

    def judge(self, ready: Outcome) -> Outcome:
        """
        Return the outcome of a rollout that is ready: the same, or that it answers wrongly.

        No answer at all counts as a wrong one: what cannot be asked cannot be accepted.

        :raises DeploymentNotFoundError: it is gone.
        """
        deployment = self._target.client.get(ready.name)
        self._let_pods_end(ready.name)
        until = time.monotonic() + SETTLE
        for number, sample in enumerate(self._samples, start=1):
            if problem := self._ask(deployment, sample, until):
                return ready.turned_down(
                    Ending.WRONG,
                    reason="SmokeTestFailed",
                    message=f"request {number} of {len(self._samples)}, {shortened(sample.data)}, {problem}",
                )
        log.info("%s answered all %d sample requests as expected", ready.name, len(self._samples))
        return ready

    def _let_pods_end(self, name: str) -> None:
        """Wait until no pod is left that is ending: it may be of another version, and still get requests."""
        until = time.monotonic() + DRAIN
        try:
            while ending := self._ending(name):
                if time.monotonic() >= until:
                    log.warning(
                        "After %.0f s, pod %s is still ending. It is not waited for any longer; should it answer, "
                        "that may be an answer to the smoke test.",
                        DRAIN,
                        ", ".join(ending),
                    )
                    return
                time.sleep(PAUSE)
        except ForbiddenError as error:
            log.warning(
                "Without the right to list pods, the first answers to the smoke test may be the previous version's: %s",
                error,
            )

    def _ending(self, name: str) -> list[str]:
        found = self._target.client.pods.of_deployment(name)
        return [pod["metadata"]["name"] for pod in found if pod["metadata"].get("deletionTimestamp")]

    def _ask(self, deployment: SeldonDeployment, sample: SampleRequest, until: float) -> str:
        """Send a sample until every predictor has answered it; return what is wrong, if anything is."""
        predictors = answering_predictors(deployment)
        missing = {str(one.name) for one in predictors}
        wanted = requests_to_meet_all(predictors, certainty=CERTAINTY)
        nameless = sent = 0
        # An answer that names its predictor makes certain; so it is asked longer before one counts as missing.
        while missing and sent < min(MOST, wanted if nameless else 3 * wanted):
            answer, problem = self._answer(deployment, sample)
            while problem and time.monotonic() < until:
                time.sleep(PAUSE)
                answer, problem = self._answer(deployment, sample)
            if problem:
                return problem
            sent += 1
            if len(predictors) == 1:
                return ""
            who = answered_by(answer, predictors)
            missing.discard(who)
            nameless += not who
        if not missing:
            log.info("Predictors %s have answered", ", ".join(str(one.name) for one in predictors))
        elif nameless or sent < 3 * wanted:
            log.warning(
                "The answers do not say whether predictors %s gave any. The sample was sent %d times; %d make it %g %% "
                "certain that each has answered.",
                ", ".join(sorted(missing)),
                sent,
                wanted,
                100 * CERTAINTY,
            )
        else:
            return f"was not answered by predictor {', '.join(sorted(missing))}, although it was sent {sent} times"
        return ""

    def _answer(self, deployment: SeldonDeployment, sample: SampleRequest) -> tuple[Any, str]:
        """Send a sample; return its answer, and what is wrong with that."""
        protocol = (deployment.spec.protocol if deployment.spec else None) or "seldon"
        try:
            answer = predict(self._target, deployment, sample.data, retry_for=RETRY_FOR)
            rows = parse_response(protocol, answer)
        except (PredictionError, UnexpectedResponseError, InvalidModelServerError) as error:
            return None, f"got no prediction: {error}"
        if sample.is_answered_by(rows):
            return answer, ""
        return answer, f"was answered with {shortened(rows)}, expected was {shortened(sample.expected)}"
