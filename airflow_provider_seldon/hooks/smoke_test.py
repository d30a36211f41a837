"""
Sample requests to a version that has just come to serve, before anything older is given up.

The requests go through the gateway, as everybody's do. One that lags is asked again for a while (see ``ingress``); it
may also send a request to a pod of the previous version in the moment of that pod's end, so a wrong answer counts
only when it is given again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.endpoint import parse_response
from airflow_provider_seldon.core.errors import InvalidRequestError
from airflow_provider_seldon.core.expected_answer import SampleRequest, shortened
from airflow_provider_seldon.core.outcome import Ending, Outcome
from airflow_provider_seldon.core.payload import UnexpectedResponseError
from airflow_provider_seldon.core.resource import SeldonDeployment
from airflow_provider_seldon.exceptions import PredictionError

if TYPE_CHECKING:
    from airflow_provider_seldon.hooks.seldon import SeldonHook

log = logging.getLogger(__name__)

#: Seconds during which a wrong answer is asked for again.
SETTLE = 3.0
#: Seconds during which a gateway that is not ready is asked again.
RETRY_FOR = 30.0
#: Seconds between two tries.
PAUSE = 0.5


class SmokeTest:
    """
    Asks a deployment sample requests.

    :param hook: the connection, with ``ingress_url``.
    :param samples: the requests.
    """

    def __init__(self, hook: SeldonHook, samples: Sequence[SampleRequest]) -> None:
        self._hook = hook
        self._samples = samples

    def judge(self, ready: Outcome) -> Outcome:
        """
        Return the outcome of a rollout that is ready: the same, or that it answers wrongly.

        No answer at all counts as a wrong one: what cannot be asked cannot be accepted.

        :raises DeploymentNotFoundError: it is gone.
        """
        deployment = self._hook.client.get(ready.name)
        until = time.monotonic() + SETTLE
        for number, sample in enumerate(self._samples, start=1):
            problem = self._problem(deployment, sample)
            while problem and time.monotonic() < until:
                time.sleep(PAUSE)
                problem = self._problem(deployment, sample)
            if problem:
                return ready.turned_down(
                    Ending.WRONG,
                    reason="SmokeTestFailed",
                    message=f"request {number} of {len(self._samples)}, {shortened(sample.data)}, {problem}",
                )
        log.info("%s answered all %d sample requests as expected", ready.name, len(self._samples))
        return ready

    def _problem(self, deployment: SeldonDeployment, sample: SampleRequest) -> str:
        protocol = (deployment.spec.protocol if deployment.spec else None) or "seldon"
        try:
            answer = self._hook.predict(
                deployment.name, sample.data, deployment=deployment, retry_for=RETRY_FOR
            )
            rows = parse_response(protocol, answer)
        except (PredictionError, UnexpectedResponseError, InvalidRequestError) as error:
            return f"got no prediction: {error}"
        if sample.is_answered_by(rows):
            return ""
        return f"was answered with {shortened(rows)}, expected was {shortened(sample.expected)}"
