"""
Send the same rows to both predictors of a canary: through the API server, or the ingress.

The API server reaches each predictor's own Service, also a shadow's. The ingress splits requests by its
weights, so a row is sent until each side has answered it; only answers that go through differently named
nodes, or different images, show which one has (``core.prediction.traffic_split``).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_seldon.core.analysis.metrics import GoldenSet
from airflow_provider_seldon.core.analysis.queries import Sides
from airflow_provider_seldon.core.analysis.samples import Sample
from airflow_provider_seldon.core.children.expected import predictor_services
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.prediction.endpoint import prediction_path
from airflow_provider_seldon.core.prediction.traffic_split import (
    answered_by,
    answering_predictors,
    requests_to_meet_all,
)
from airflow_provider_seldon.delivery.analysis.golden_set import Ask, compare, read_rows
from airflow_provider_seldon.delivery.prediction.predict import protocol_of
from airflow_provider_seldon.exceptions import PredictionError, ServerUnavailableError
from airflow_provider_seldon.kube.requests.service_proxy import RIGHT, ServiceProxy

if TYPE_CHECKING:
    from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
    from airflow_provider_seldon.delivery.analysis.measure import Compare
    from airflow_provider_seldon.delivery.target import Target

log = logging.getLogger(__name__)

#: Seconds for one request, and between two tries of one.
TIMEOUT, PAUSE = 30.0, 0.5
#: Retries of requests without an answer: of each request, and of a whole comparison.
TRIES, RETRIES = 3, 20
#: Certainty that a row has reached both predictors at the ingress, and the maximum of requests for it.
CERTAINTY, MOST = 0.99, 100
_RIGHT = "create services/proxy"


def may_ask_each(target: Target) -> bool:
    """Return whether the connection's account may send requests to Services through the API server."""
    return not target.client.missing_rights({_RIGHT: RIGHT})


def comparison(target: Target, deployment: SeldonDeployment) -> Compare:
    """
    Return a function that sends a golden set to both predictors of a deployment, and compares; it blocks.

    :param deployment: the deployment as stored, with the candidate.
    """

    def compared(metric: GoldenSet, sides: Sides) -> Sample:
        try:
            rows = read_rows(metric)
        except InvalidRequestError as error:
            return Sample(error=f"the golden rows cannot be read: {error}")
        if may_ask_each(target):
            return asyncio.run(_through_api_server(target, deployment, metric, sides, rows))
        return asyncio.run(compare(metric, rows, ask=_IngressWay(target, deployment, sides).ask))

    return compared


async def _through_api_server(
    target: Target,
    deployment: SeldonDeployment,
    metric: GoldenSet,
    sides: Sides,
    rows: list[Mapping[str, Any]],
) -> Sample:
    async with ServiceProxy(target.access, namespace=target.namespace) as proxy:
        return await compare(metric, rows, ask=_ServiceWay(proxy, deployment, sides).ask)


class _ServiceWay:
    """Sends rows to the Service of each predictor."""

    def __init__(self, proxy: ServiceProxy, deployment: SeldonDeployment, sides: Sides) -> None:
        self._proxy = proxy
        self._left = RETRIES
        self._told: set[str] = set()
        services = predictor_services(deployment.to_manifest())
        nodes = {one.name: (one.graph.name if one.graph else None) or "" for one in deployment.predictors}
        self._places = [
            (services[name], prediction_path(protocol_of(deployment), nodes[name]))
            for name in (sides.candidate, sides.baseline)
        ]

    async def ask(self, row: Mapping[str, Any]) -> tuple[Any, Any]:
        """See ``Ask``."""
        mine, theirs = await asyncio.gather(*(self._answer(*place, row) for place in self._places))
        return mine, theirs

    async def _answer(self, service: str, path: str, row: Mapping[str, Any]) -> Any:
        for tries_left in reversed(range(TRIES)):
            try:
                return await self._proxy.post(service, path, row, timeout=TIMEOUT)
            except ServerUnavailableError as error:
                problem = str(error)
                if not tries_left or self._left <= 0:
                    break
                self._left -= 1
                await asyncio.sleep(PAUSE)
            except PredictionError as error:
                problem = str(error)
                break
        if problem not in self._told:
            self._told.add(problem)
            log.warning("A golden row has no answer: %s", problem)
        return None


class _IngressWay:
    """Sends a row through the ingress until both predictors have answered it."""

    def __init__(self, target: Target, deployment: SeldonDeployment, sides: Sides) -> None:
        self._target = target
        self._sides = sides
        self._url = target.info(deployment).prediction_url
        self._predictors = answering_predictors(deployment)
        self._wanted = min(MOST, requests_to_meet_all(self._predictors, certainty=CERTAINTY))
        if sides.candidate not in {one.name for one in self._predictors}:
            self._wanted = 0  # a shadow, whose answers are discarded

    async def ask(self, row: Mapping[str, Any]) -> tuple[Any, Any]:
        """
        See ``Ask``; a row that does not reach both has no answers.

        :raises PredictionError: an answer does not name its predictor, or the candidate's answers are
            discarded.
        """
        met: dict[str, Any] = {}
        for _ in range(self._wanted):
            try:
                answer = await asyncio.to_thread(
                    self._target.ingress.post, self._url, row, timeout=TIMEOUT, retry_for=0.0
                )
            except PredictionError:
                continue  # its predictor is unknown
            who = answered_by(answer, self._predictors)
            if not who:
                raise self._unknown("answers do not say which predictor has given them")
            met[who] = answer
            if len(met) == len(self._predictors):
                return met[self._sides.candidate], met[self._sides.baseline]
        if not self._wanted:
            raise self._unknown("it discards the answers of a shadow")
        return None, None

    def _unknown(self, why: str) -> PredictionError:
        return PredictionError(
            f"golden rows cannot be compared through the ingress: {why}. Grant the connection's account "
            f"{_RIGHT}."
        )


__all__ = ["Ask", "comparison", "may_ask_each"]
