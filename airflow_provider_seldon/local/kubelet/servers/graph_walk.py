"""The engine's walk through an inference graph, in Seldon's protocol.

Source: Seldon Core reference, section 1.4 (node types, hard-coded implementations). A node transforms its
input and passes it to its children; their responses are combined and transformed; ``meta`` collects routing,
tags and path.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.servers import is_hardcoded
from airflow_provider_seldon.local.controllers.manifests import clone, dig
from airflow_provider_seldon.local.kubelet.servers.unit_calls import ComponentCallError, parameter

Call = Callable[[Manifest, str, Any], Awaitable[Manifest]]
"""``call(unit, verb, body)``: one step of one unit."""

_DEFAULT_METHODS = {
    "MODEL": {"TRANSFORM_INPUT"},
    "TRANSFORMER": {"TRANSFORM_INPUT"},
    "OUTPUT_TRANSFORMER": {"TRANSFORM_OUTPUT"},
    "ROUTER": {"ROUTE", "SEND_FEEDBACK"},
    "COMBINER": {"AGGREGATE"},
}


class GraphRun:
    """One request through the graph.

    :param call: calls a unit
    :param images: image of each unit's container, for ``meta.requestPath``
    :param chance: random numbers for units that choose at random
    """

    def __init__(self, *, call: Call, images: dict[str, str], chance: random.Random) -> None:
        self._call = call
        self._images = images
        self._random = chance
        self.path: dict[str, str] = {}
        self.routing: dict[str, int] = {}
        self.tags: dict[str, Any] = {}
        self.metrics: list[Any] = []

    async def predict(self, unit: Manifest, message: Manifest) -> Manifest:
        """The response of a node and all nodes below it."""
        self.path[unit["name"]] = self._images.get(unit["name"], "")
        methods = _methods(unit)
        if is_hardcoded(unit.get("implementation")):
            message = self._hard_coded(unit, message)
        elif "TRANSFORM_INPUT" in methods:
            verb = "predict" if unit.get("type") == "MODEL" else "transform-input"
            message = self._merged(await self._call(unit, verb, message), message)
        children = unit.get("children") or []
        if children:
            answers = await self._children(unit, methods, children, message)
            message = await self._combined(unit, methods, answers)
        if "TRANSFORM_OUTPUT" in methods:
            message = self._merged(await self._call(unit, "transform-output", message), message)
        return message

    def meta(self, given: Manifest, puid: str) -> Manifest:
        """The ``meta`` of the final response."""
        meta = {key: value for key, value in given.items() if key in ("puid",)} | {"puid": puid}
        meta |= {"routing": self.routing} if self.routing else {}
        meta |= {"tags": self.tags} if self.tags else {}
        meta |= {"metrics": self.metrics} if self.metrics else {}
        return meta | {"requestPath": self.path}

    async def _children(
        self, unit: Manifest, methods: set[str], children: list[Manifest], message: Manifest
    ) -> list[Manifest]:
        branch = await self._branch(unit, methods, message)
        if branch is not None:
            self.routing[unit["name"]] = branch
            if branch >= 0:
                if branch >= len(children):
                    text = f"router chose branch {branch} of {len(children)}"
                    raise ComponentCallError(unit=unit["name"], status=500, body=text)
                children = [children[branch]]
        work = [self.predict(child, clone(message)) for child in children]
        return list(await asyncio.gather(*work))

    async def _branch(self, unit: Manifest, methods: set[str], message: Manifest) -> int | None:
        """The child that a router chooses; -1 means all, None that the unit is not a router."""
        implementation = unit.get("implementation")
        if implementation == "SIMPLE_ROUTER":
            return 0
        if implementation == "RANDOM_ABTEST":
            return 0 if self._random.random() < float(parameter(unit, "ratioA", "0.5")) else 1
        if "ROUTE" not in methods:
            return None
        answer = self._merged(await self._call(unit, "route", message), message)
        choice = dig(answer, "data", "ndarray", 0) or dig(answer, "data", "tensor", "values", default=[0])
        while isinstance(choice, list):
            choice = choice[0] if choice else 0
        return int(choice)

    async def _combined(self, unit: Manifest, methods: set[str], answers: list[Manifest]) -> Manifest:
        """The combined response of the children; without a combiner, that of the first."""
        if "AGGREGATE" in methods and not is_hardcoded(unit.get("implementation")):
            return self._merged(await self._call(unit, "aggregate", {"seldonMessages": answers}), {})
        # Also for AVERAGE_COMBINER: Seldon's executor, unlike the engine before it, does not know it.
        return answers[0]

    def _hard_coded(self, unit: Manifest, message: Manifest) -> Manifest:
        """``SIMPLE_MODEL`` always returns the same response; routers and combiners pass the message on."""
        if unit["implementation"] != "SIMPLE_MODEL":
            return message
        data = {"names": ["class0", "class1", "class2"]}
        tensor = {"shape": [1, 3], "values": [0.1, 0.9, 0.5]}
        return {"data": data | {"tensor": tensor}, "meta": message.get("meta") or {}}

    def _merged(self, answer: Manifest, message: Manifest) -> Manifest:
        meta = answer.get("meta") or {}
        self.tags |= meta.get("tags") or {}
        self.metrics += meta.get("metrics") or []
        return answer | {"meta": (message.get("meta") or {}) | meta}


def _methods(unit: Manifest) -> set[str]:
    if unit.get("type") in _DEFAULT_METHODS:
        return _DEFAULT_METHODS[unit["type"]]
    return set(unit.get("methods") or [])
