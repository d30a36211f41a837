"""Configurable faults in the responses of a predictor, as of a bad canary: delays, wrong values, errors.

There are two ways: annotations of a predictor, which its pods inherit, so that they belong to a version; and
``LocalSeldon.misbehaviours``, at any time and without a rollout.

==============================  ========================================================
``local.seldon/error-rate``     share of predictions that are answered with HTTP 500
``local.seldon/latency``        seconds by which predictions are delayed
``local.seldon/wrong-answers``  share of predictions in which every number of the answer
                                is larger by one
==============================  ========================================================
"""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request, Response
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.manifests import dig
from airflow_provider_seldon.local.kubelet.servers.routes import Operation, route

_ANNOTATION = "local.seldon/"
_PREDICTIONS = (Operation.PREDICT, Operation.INFER)
_ERROR = {"status": {"code": 500, "info": "ordered to fail", "reason": "ORDERED", "status": "FAILURE"}}


@dataclass(frozen=True, kw_only=True)
class Misbehaviour:
    """Faults of predictions.

    :param error_rate: share of predictions that return HTTP 500, between 0 and 1
    :param latency: seconds by which predictions are delayed
    :param wrong_answers: share of predictions in which every number of the response is larger by one
    """

    error_rate: float = 0.0
    latency: float = 0.0
    wrong_answers: float = 0.0

    @classmethod
    def of(cls, pod: Manifest) -> Misbehaviour:
        """The faults in a pod's annotations; an annotation that is not a number is ignored."""
        annotations = dig(pod, "metadata", "annotations", default={})
        return cls(
            error_rate=_number(annotations.get(f"{_ANNOTATION}error-rate")),
            latency=_number(annotations.get(f"{_ANNOTATION}latency")),
            wrong_answers=_number(annotations.get(f"{_ANNOTATION}wrong-answers")),
        )


class Misbehaviours:
    """The faults besides annotations. Safe to change from another thread while the pods are running.

    :param seed: makes the choice of affected requests repeatable
    """

    def __init__(self, seed: int | None = None) -> None:
        self._ordered: dict[tuple[str, str], Misbehaviour] = {}
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def order(self, misbehaviour: Misbehaviour, *, deployment: str = "*", predictor: str = "*") -> None:
        """Set the faults of predictors from now on, in place of earlier ones for the same predictors.

        :param deployment: name of the SeldonDeployment; ``*`` for all
        :param predictor: name of the predictor; ``*`` for all
        """
        with self._lock:
            self._ordered[deployment, predictor] = misbehaviour

    def clear(self) -> None:
        """Remove these faults; those in annotations stay."""
        with self._lock:
            self._ordered.clear()

    async def answer(
        self,
        request: Request,
        *,
        pod: Manifest,
        deployment: str,
        predictor: str,
        handle: Callable[[Request], Awaitable[Response]],
    ) -> Response:
        """Handle a request, with the configured faults."""
        found = self._of(pod, deployment, predictor)
        if found == Misbehaviour() or route(request.method, request.path).operation not in _PREDICTIONS:
            return await handle(request)
        if found.latency:
            await asyncio.sleep(found.latency)
        if self._random.random() < found.error_rate:
            body = json.dumps(_ERROR).encode()
            return Response(status=500, body=body, headers={"Content-Type": "application/json"})
        response = await handle(request)
        if response.status == 200 and self._random.random() < found.wrong_answers:
            return Response(status=200, body=_wrong(response.body), headers=response.headers)
        return response

    def _of(self, pod: Manifest, deployment: str, predictor: str) -> Misbehaviour:
        with self._lock:
            for key in ((deployment, predictor), ("*", predictor), (deployment, "*"), ("*", "*")):
                if key in self._ordered:
                    return self._ordered[key]
        return Misbehaviour.of(pod)


def _wrong(body: bytes) -> bytes:
    try:
        answer = json.loads(body)
    except ValueError:
        return body
    for holder, key in ((answer, "data"), (answer, "outputs")):
        if isinstance(holder, dict) and key in holder:
            holder[key] = _larger(holder[key])
    return json.dumps(answer).encode()


def _larger(value: Any) -> Any:
    """Increase every number by one, apart from shapes."""
    if isinstance(value, dict):
        return {key: one if key == "shape" else _larger(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_larger(one) for one in value]
    return value + 1 if isinstance(value, int | float) and not isinstance(value, bool) else value


def _number(text: Any) -> float:
    try:
        return max(0.0, float(text))
    except (TypeError, ValueError):
        return 0.0
