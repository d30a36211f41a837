"""From the names of child Deployments back to a SeldonDeployment's spec that makes children of these names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_COMPONENT = re.compile(r"(?P<head>.+?)-(?P<index>\d+)-(?P<label>.+)")
_SUFFIXED = re.compile(r"(?P<head>.+)-(?P<suffix>explainer|svc-orch)")


class Children:
    """
    The children of one scenario.

    A name that cannot be read (it is hashed, say) is replaced by one that can; ``renamed`` has both.

    :param names: of all children that are expected, in order of appearance.
    :param deployment: name of the SeldonDeployment; taken from the children's when None.
    """

    def __init__(self, names: Iterable[str], deployment: str | None = None) -> None:
        heads = [found["head"] for name in names if (found := _parse(name))]
        self.deployment = deployment or (heads[0].split("-")[0] if heads else "model")
        self.renamed: dict[str, str] = {}
        self.components: dict[tuple[str, int], str] = {}
        self.explained: list[str] = []
        self.separate_engines: list[str] = []
        for name in names:
            self._add(name)

    def spec(self) -> dict[str, Any]:
        """Return the spec, without stamps and replicas; predictors in order of appearance."""
        predictors = [self._predictor(name) for name in self._predictors()]
        engine = {"seldon.io/engine-separate-pod": "true"} if self.separate_engines else {}
        return {"annotations": engine, "predictors": predictors}

    def predictor_of(self, child: str) -> tuple[str, int | None]:
        """Return the predictor and the component index of a child; the index is None for other roles."""
        child = self.renamed.get(child, child)
        for (predictor, index), name in self.components.items():
            if name == child:
                return predictor, index
        found = _SUFFIXED.fullmatch(child)
        return (self._strip(found["head"]) if found else "", None)

    def _predictors(self) -> list[str]:
        names = [predictor for predictor, _ in self.components]
        return list(dict.fromkeys([*names, *self.explained, *self.separate_engines]))

    def _predictor(self, name: str) -> dict[str, Any]:
        own = {index: child for (predictor, index), child in self.components.items() if predictor == name}
        labels = {
            index: child.removeprefix(f"{self.deployment}-{name}-{index}-") for index, child in own.items()
        }
        units = [{"name": label, "type": "MODEL"} for label in labels.values()] or [{"name": "model"}]
        predictor: dict[str, Any] = {
            "name": name,
            "graph": {**units[0], "children": units[1:]},
            "componentSpecs": [_component(labels.get(index)) for index in range(max(own, default=-1) + 1)],
        }
        if name in self.explained:
            predictor["explainer"] = {"type": "AnchorTabular"}
        if self.separate_engines and name not in self.separate_engines:
            predictor["annotations"] = {"seldon.io/no-engine": "true"}
        return predictor

    def _add(self, name: str) -> None:
        found = _parse(name)
        if found is None:
            place = (f"p{len(self.renamed)}", 0)
            self.components[place] = self.renamed[name] = f"{self.deployment}-{place[0]}-0-model"
        elif "suffix" in found:
            held = self.explained if found["suffix"] == "explainer" else self.separate_engines
            held.append(self._strip(found["head"]))
        else:
            self.components[self._strip(found["head"]), int(found["index"])] = name

    def _strip(self, head: str) -> str:
        return head.removeprefix(f"{self.deployment}-")


def _parse(name: str) -> dict[str, str] | None:
    found = _COMPONENT.fullmatch(name) or _SUFFIXED.fullmatch(name)
    return found.groupdict() if found else None


def _component(label: str | None) -> dict[str, Any]:
    if label is None:
        return {"spec": {"containers": []}}
    return {"metadata": {"name": label}, "spec": {"containers": [{"name": label, "image": "model:1"}]}}
