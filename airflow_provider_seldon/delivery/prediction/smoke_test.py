"""
Sample requests to a version that has just become ready, before older versions are deleted.

The requests go through the gateway like all others, so they cannot be addressed to a version. Their time
ensures that the new one answers: they are sent only after every child has finished rolling out and the last
terminating pod is gone, because a lagging gateway may still send requests there. If the traffic is split, the
answers show that every predictor was tested if they name their predictor (``core.prediction.traffic_split``),
else the number of requests does. A shadow's answers are discarded, so it is not tested.

A request is retried for a while if the gateway is not ready (see ``ingress``), and if the answer is wrong:
only a repeated wrong answer counts.
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
#: Seconds during which requests are retried while the gateway is not ready.
RETRY_FOR = 30.0
#: Seconds between two tries.
PAUSE = 0.5
#: Seconds to wait until terminating pods are gone; Seldon gives them 20.
DRAIN = 60.0
#: Certainty that each of several predictors has answered, and the maximum of requests for it.
CERTAINTY = 0.999
MOST = 500


class SmokeTest:
    """
    Sends sample requests to a deployment.

    :param target: its namespace; the ingress gateway has a URL.
    :param samples: the requests.
    """

    def __init__(self, target: Target, samples: Sequence[SampleRequest]) -> None:
        self._target = target
        self._samples = samples

    def judge(self, ready: Outcome) -> Outcome:
        """
        Return the outcome of a ready rollout: the same, or that its answers are wrong.

        No answer at all counts as a wrong one: a version that cannot answer cannot be accepted.

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
        """Wait until no terminating pod is left: it may be of another version, and still get requests."""
        until = time.monotonic() + DRAIN
        try:
            while ending := self._ending(name):
                if time.monotonic() >= until:
                    log.warning(
                        "After %.0f s, pod %s is still terminating. The task does not wait any longer; an "
                        "answer to the smoke test may come from that pod.",
                        DRAIN,
                        ", ".join(ending),
                    )
                    return
                time.sleep(PAUSE)
        except ForbiddenError as error:
            log.warning(
                "Without permission to list pods, the first answers to the smoke test may be the previous "
                "version's: %s",
                error,
            )

    def _ending(self, name: str) -> list[str]:
        found = self._target.client.pods.of_deployment(name)
        return [pod["metadata"]["name"] for pod in found if pod["metadata"].get("deletionTimestamp")]

    def _ask(self, deployment: SeldonDeployment, sample: SampleRequest, until: float) -> str:
        """Send a sample until every predictor has answered it; return the problem, if any."""
        predictors = answering_predictors(deployment)
        missing = {str(one.name) for one in predictors}
        wanted = requests_to_meet_all(predictors, certainty=CERTAINTY)
        nameless = sent = 0
        # Answers that name their predictor give certainty, so more requests are sent before one counts as
        # missing.
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
                "The answers do not show whether predictors %s gave any. The sample was sent %d times; %d "
                "make it %g %% certain that each has answered.",
                ", ".join(sorted(missing)),
                sent,
                wanted,
                100 * CERTAINTY,
            )
        else:
            return f"was not answered by predictor {', '.join(sorted(missing))}, although it was sent {sent} times"
        return ""

    def _answer(self, deployment: SeldonDeployment, sample: SampleRequest) -> tuple[Any, str]:
        """Send a sample; return its answer and the answer's problem."""
        protocol = (deployment.spec.protocol if deployment.spec else None) or "seldon"
        try:
            answer = predict(self._target, deployment, sample.data, retry_for=RETRY_FOR)
            rows = parse_response(protocol, answer)
        except (PredictionError, UnexpectedResponseError, InvalidModelServerError) as error:
            return None, f"got no prediction: {error}"
        if sample.is_answered_by(rows):
            return answer, ""
        return answer, f"was answered with {shortened(rows)}, expected was {shortened(sample.expected)}"
