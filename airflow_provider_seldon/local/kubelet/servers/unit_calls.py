"""Calls to one graph unit: over HTTP to its process, in the protocol of that process."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.kubelet.servers.translation import BadRequestError, from_v2, to_v2

_PATHS = {
    "predict": "/predict",
    "transform-input": "/transform-input",
    "transform-output": "/transform-output",
    "route": "/route",
    "aggregate": "/aggregate",
    "send-feedback": "/send-feedback",
}
_TIMEOUT = aiohttp.ClientTimeout(total=60)


class ComponentCallError(Exception):
    """A unit returned an error. :param status: HTTP status; :param body: its response"""

    def __init__(self, *, unit: str, status: int, body: str) -> None:
        super().__init__(f"{unit}: {status} {body}")
        self.unit = unit
        self.status = status
        self.body = body


@dataclass(frozen=True, kw_only=True)
class Component:
    """The address of one unit.

    :param name: the unit
    :param url: base URL of its process
    :param mlserver: MLServer replaces one of Seldon's own servers: translate
    """

    name: str
    url: str
    mlserver: bool = False

    async def call(self, session: aiohttp.ClientSession, verb: str, body: Any, unit: Manifest) -> Manifest:
        """One step of the graph in Seldon's protocol.

        :param verb: ``predict``, ``transform-input``, ``route``, ...
        :raises ComponentCallError: the unit returned an error
        :raises aiohttp.ClientError: the unit cannot be reached
        """
        if self.mlserver:
            return await self._call_mlserver(session, verb, body, unit)
        async with session.post(self.url + _PATHS[verb], json=body, timeout=_TIMEOUT) as response:
            return await self._message(response)

    async def _call_mlserver(
        self, session: aiohttp.ClientSession, verb: str, body: Any, unit: Manifest
    ) -> Manifest:
        if verb == "send-feedback":
            return {"data": {"tensor": {"shape": [0], "values": []}}, "meta": {}}
        wanted = _outputs(unit)
        for outputs in wanted:
            try:
                request = to_v2(body, outputs=outputs)
            except BadRequestError as error:
                raise ComponentCallError(unit=self.name, status=400, body=str(error)) from error
            url = f"{self.url}/v2/models/{self.name}/infer"
            try:
                async with session.post(url, json=request, timeout=_TIMEOUT) as response:
                    answer = await self._message(response)
            except ComponentCallError as error:
                if outputs is not wanted[-1]:
                    continue
                raise ComponentCallError(
                    unit=self.name, status=error.status, body=_gist(error.body)
                ) from error
            return from_v2(answer, request=body, booster=unit.get("implementation") == "XGBOOST_SERVER")
        raise AssertionError("there is always an output to request")

    async def _message(self, response: aiohttp.ClientResponse) -> Manifest:
        text = await response.text()
        if response.status >= 400:
            raise ComponentCallError(unit=self.name, status=response.status, body=text[-4000:])
        try:
            message = json.loads(text)
        except ValueError as error:
            raise ComponentCallError(unit=self.name, status=500, body="not JSON: " + text[:200]) from error
        if not isinstance(message, dict):
            raise ComponentCallError(unit=self.name, status=500, body="not a JSON object: " + text[:200])
        return message


def parameter(unit: Mapping[str, Any], name: str, default: str) -> str:
    """A graph unit's parameter, as text."""
    for entry in unit.get("parameters") or []:
        if entry.get("name") == name:
            return str(entry.get("value"))
    return default


def _gist(body: str) -> str:
    """Return the last line of an error: MLServer returns a whole traceback, which ends with the cause."""
    with contextlib.suppress(ValueError, AttributeError):
        body = str(json.loads(body).get("error", body))
    lines = [line for line in body.splitlines() if line.strip()]
    return lines[-1] if lines else body


def _outputs(unit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The outputs to request, in order of preference: those that Seldon's own server would return.

    scikit-learn's defaults to ``predict_proba``; XGBoost's returns the booster's raw prediction, which are
    probabilities for a classifier and values for a regressor.
    """
    if unit.get("implementation") == "SKLEARN_SERVER":
        return [(parameter(unit, "method", "predict_proba"),)]
    if unit.get("implementation") == "XGBOOST_SERVER":
        return [("predict_proba",), ("predict",)]
    return [()]
