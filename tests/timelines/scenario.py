"""
From the abbreviated format to objects as the API server would send them.

A scenario is JSON: ``scenario`` (its name) and ``steps``, each with ``t`` (seconds), ``sdep`` (``generation``,
``resourceVersion``, ``status``, optionally ``uid`` and ``deletionTimestamp``; null when there is none),
``deployments`` (``name``, ``generation``, ``spec_replicas``, ``template_is_for``: ``new`` or ``old``, ``status``,
optionally ``owner_uid``, ``deletionTimestamp``, ``paused``; null when they may not be read) and
``correct_verdict``. Optional for a scenario: ``name``, ``spec`` (of the SeldonDeployment), ``foreign`` (nothing
is stamped), ``policy``. Optional for a step: ``pods``, ``spec``. Anything else is ignored.

What the format leaves out is filled in from what it has, by rules that hold for every operator:

- A spec that is not given is one that makes children of these names. A child that never runs the new template
  and is gone at the end belongs to the past; all others are expected.
- The pods that are wanted: what the child requests at last. If that changes although the deployment was written
  only once (generation 1), an autoscaler did it.
- The owner of a child is the SeldonDeployment under which it appeared, until the child vanishes. A deployment
  of generation 1 has no older template, so a child with the old one was made under another uid.
- A timeline begins with the write. If it begins later than t = 0, the write met a healthy deployment
  (generation > 1) or none (generation 1).
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_seldon.core.children.expected import ExpectedChild, Role, expected_children
from airflow_provider_seldon.core.identity.annotations import ANNOTATION_REVISION
from airflow_provider_seldon.core.identity.revision import stamped
from airflow_provider_seldon.core.readiness.expectation import Expectation
from tests.timelines.names import Children

OLD_REVISION = "0" * 10
ENGINE = "seldon-container-engine"


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step, as the judge gets it."""

    t: float
    deployment: dict[str, Any] | None
    children: list[dict[str, Any]] | None
    pods: list[dict[str, Any]] | None
    correct: str
    note: str


class Scenario:
    """
    One scenario of a timelines file.

    :param data: the scenario as JSON.
    """

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.name = str(data.get("scenario", "unnamed"))
        self.policy: dict[str, Any] = data.get("policy") or {}
        self._foreign = bool(data.get("foreign"))
        self._steps: list[dict[str, Any]] = list(data.get("steps") or [])
        self._children = Children(self._expected_names(), data.get("name"))
        self._renames = {} if "spec" in data else self._children.renamed
        self._spec = self._stamp(data["spec"] if "spec" in data else self._inferred_spec())

    @property
    def expected(self) -> Expectation:
        """What the wait of this timeline waits for."""
        first = next((step for step in self._steps if step.get("sdep")), {"t": 0, "sdep": {}})
        deployment = self._deployment(
            first, uid=self._uids()[self._steps.index(first)] if self._steps else ""
        )
        assert deployment is not None
        if first.get("t", 0) > 0:
            healthy = deployment["metadata"]["generation"] > 1
            deployment["status"] = {"state": "Available"} if healthy else {}
        return Expectation.of(deployment)

    def moments(self) -> Iterator[Moment]:
        """Yield the steps in order."""
        owners: dict[str, str] = {}
        for step, uid in zip(self._steps, self._uids(), strict=True):
            deployment = self._deployment(step, uid)
            children = step.get("deployments", [])
            built = None
            if children is not None:
                owners = {one["name"]: self._owner(one, step, uid, owners) for one in children}
                built = [self._child(one, owners[one["name"]], step) for one in children]
            yield Moment(
                t=float(step.get("t", 0)),
                deployment=deployment,
                children=built,
                pods=self._pods(step),
                correct=str(step.get("correct_verdict", "")).strip().lower(),
                note=str(step.get("note", "")),
            )

    def _expected_names(self) -> list[str]:
        seen: dict[str, bool] = {}
        last: set[str] = set()
        for step in self._steps:
            if step.get("deployments") is None:
                for name in ((step.get("sdep") or {}).get("status") or {}).get("deploymentStatus") or {}:
                    seen[name] = True
                continue
            last = {one["name"] for one in step["deployments"]}
            for one in step["deployments"]:
                seen[one["name"]] = seen.get(one["name"], False) or _is_new(one)
        return [name for name, new in seen.items() if new or name in last] or list(seen)

    def _inferred_spec(self) -> dict[str, Any]:
        spec = self._children.spec()
        for child in self._expected_names():
            predictor_name, index = self._children.predictor_of(child)
            predictor = next(one for one in spec["predictors"] if one["name"] == predictor_name)
            numbers = [
                one["spec_replicas"]
                for step in self._steps
                for one in step.get("deployments") or []
                if one["name"] == child and one.get("spec_replicas") is not None
            ]
            if not numbers:
                continue
            if index is None:
                holder = (
                    predictor["explainer"]
                    if child.endswith("-explainer")
                    else predictor.setdefault("svcOrchSpec", {})
                )
                holder["replicas"] = numbers[-1]
            elif self._autoscaled(numbers):
                kind = {"kedaSpec": {"triggers": []}} if 0 in numbers else {"hpaSpec": {"maxReplicas": 10}}
                predictor["componentSpecs"][index] |= kind
            else:
                predictor["componentSpecs"][index]["replicas"] = numbers[-1]
        return spec

    def _autoscaled(self, numbers: list[int]) -> bool:
        generations = {(step.get("sdep") or {}).get("generation", 1) for step in self._steps}
        named = any(word in self.name.lower() for word in ("hpa", "keda", "autoscal"))
        return named or (generations <= {1} and len(set(numbers)) > 1)

    def _stamp(self, spec: dict[str, Any]) -> dict[str, Any]:
        spec = copy.deepcopy(spec)
        if not self._foreign:
            spec["predictors"] = [stamped(one) for one in spec.get("predictors", [])]
        return spec

    def _uids(self) -> list[str]:
        """A SeldonDeployment that vanished, or whose generation fell, came back as another one."""
        uids: list[str] = []
        number, generation, gone = 1, 0, False
        for step in self._steps:
            sdep = step.get("sdep")
            if sdep is None:
                gone = bool(uids)
                uids.append("")
                continue
            if gone or sdep.get("generation", 1) < generation:
                number += 1
            gone, generation = False, sdep.get("generation", 1)
            uids.append(str(sdep.get("uid") or f"uid-{number}"))
        return uids

    def _deployment(self, step: Mapping[str, Any], uid: str) -> dict[str, Any] | None:
        sdep = step.get("sdep")
        if sdep is None:
            return None
        metadata = {
            "name": self._children.deployment,
            "namespace": "default",
            "uid": uid,
            "generation": sdep.get("generation", 1),
            "resourceVersion": str(sdep.get("resourceVersion", "1")),
        }
        if sdep.get("deletionTimestamp"):
            metadata["deletionTimestamp"] = sdep["deletionTimestamp"]
        status = copy.deepcopy(sdep.get("status") or {})
        counts = status.get("deploymentStatus")
        if counts:
            status["deploymentStatus"] = {self._renamed(name): entry for name, entry in counts.items()}
        spec = self._stamp(step["spec"]) if "spec" in step else self._spec
        return {"metadata": metadata, "spec": spec, "status": status}

    def _owner(
        self, child: Mapping[str, Any], step: Mapping[str, Any], uid: str, owners: Mapping[str, str]
    ) -> str:
        if "owner_uid" in child:
            return str(child["owner_uid"] or "")
        if child["name"] in owners:
            return owners[child["name"]]
        generation = (step.get("sdep") or {}).get("generation", 1)
        return "uid-of-before" if generation == 1 and not _is_new(child) else uid

    def _child(self, child: Mapping[str, Any], owner: str, step: Mapping[str, Any]) -> dict[str, Any]:
        name = self._renamed(child["name"])
        spec = self._stamp(step["spec"]) if "spec" in step else self._spec
        wanted = expected_children({"metadata": {"name": self._children.deployment}, "spec": spec})
        role = next((one for one in wanted if name in one.names), None)
        metadata: dict[str, Any] = {
            "name": name,
            "generation": child.get("generation", 1),
            "labels": {"seldon-deployment-id": self._children.deployment},
            "ownerReferences": [
                {
                    "kind": "SeldonDeployment",
                    "name": self._children.deployment,
                    "uid": owner,
                    "controller": True,
                }
            ]
            if owner
            else [],
        }
        if child.get("deletionTimestamp"):
            metadata["deletionTimestamp"] = child["deletionTimestamp"]
        built: dict[str, Any] = {
            "metadata": metadata,
            "spec": {"template": self._template(role, child, spec)},
            "status": copy.deepcopy(child.get("status") or {}),
        }
        if child.get("spec_replicas") is not None:
            built["spec"]["replicas"] = child["spec_replicas"]
        if child.get("paused"):
            built["spec"]["paused"] = True
        return built

    def _template(
        self, role: ExpectedChild | None, child: Mapping[str, Any], spec: dict[str, Any]
    ) -> dict[str, Any]:
        """What the operator makes of a predictor; the old one differs in stamp and image."""
        running: dict[str, Any] = copy.deepcopy(dict(role.predictor)) if role else {}
        if not _is_new(child):
            if not self._foreign:
                running.setdefault("annotations", {})[ANNOTATION_REVISION] = OLD_REVISION
            for component in running.get("componentSpecs") or []:
                for container in (component.get("spec") or {}).get("containers") or []:
                    container["image"] = "model:0"
        running = {
            key: value for key, value in running.items() if key not in ("traffic", "replicas", "explainer")
        }
        components = running.get("componentSpecs") or []
        index = role.component if role and role.role is Role.COMPONENT else len(components)
        containers = copy.deepcopy(components[index]["spec"]["containers"]) if index < len(components) else []
        if role and (role.role is Role.ENGINE or (role.role is Role.COMPONENT and index == 0)):
            encoded = base64.b64encode(json.dumps(running).encode()).decode()
            arguments = ["--protocol", spec.get("protocol") or "seldon"]
            environment = [{"name": "ENGINE_PREDICTOR", "value": encoded}]
            containers.append({"name": ENGINE, "args": arguments, "env": environment})
        return {
            "metadata": {"annotations": dict(running.get("annotations") or {})},
            "spec": {"containers": containers},
        }

    def _pods(self, step: Mapping[str, Any]) -> list[dict[str, Any]] | None:
        """A pod is of the new template unless it says ``"set": "old"``."""
        pods = step.get("pods")
        if pods is None:
            return None
        names = [one["name"] for one in step.get("deployments") or []] or ["model"]
        built = []
        for pod in pods:
            child = {"name": pod.get("deployment", names[0]), "template_is_for": pod.get("set", "new")}
            template = self._child(child, "", step)["spec"]["template"]
            built.append(_pod(pod, self._renamed(str(child["name"])), template["metadata"]["annotations"]))
        return built

    def _renamed(self, name: str) -> str:
        return self._renames.get(name, name)


def _is_new(child: Mapping[str, Any]) -> bool:
    return str(child.get("template_is_for", "new")).lower() == "new"


def _pod(pod: Mapping[str, Any], child: str, annotations: Mapping[str, str]) -> dict[str, Any]:
    """A pod is given as Kubernetes has it, or as ``name``, ``set`` (of its ReplicaSet), ``status``."""
    given = pod.get("metadata") or {}
    owner = {"kind": "ReplicaSet", "name": f"{child}-{pod.get('set', 'new')}", "controller": True}
    metadata: dict[str, Any] = {
        "name": pod.get("name", f"{child}-pod"),
        "creationTimestamp": pod.get("created", "2025-01-01T00:00:00Z"),
        "ownerReferences": [owner],
        "annotations": dict(annotations),
        **given,
    }
    if pod.get("deletionTimestamp"):
        metadata["deletionTimestamp"] = pod["deletionTimestamp"]
    return {"metadata": metadata, "status": pod.get("status") or {}}
