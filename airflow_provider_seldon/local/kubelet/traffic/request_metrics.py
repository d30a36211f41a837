"""The metrics of the service orchestrator of one pod, for Prometheus at ``/prometheus``.

Names, labels and bounds are those of Seldon's executor (1.18.2, ``executor/api/metric``, and the ``service``
labels of its REST server). Not included: its summaries of the same values, whose quantiles cannot be added. A
unit of the graph is counted as a client call of the whole request's duration, because a simulated pod calls
none.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Mapping

from airflow_provider_seldon.local.apiserver.protocol.pod_http import Request
from airflow_provider_seldon.local.client.kinds import Manifest
from airflow_provider_seldon.local.controllers.children.defaults import containers_of, walk
from airflow_provider_seldon.local.controllers.children.engine import ENGINE
from airflow_provider_seldon.local.controllers.children.servers import is_hardcoded
from airflow_provider_seldon.local.controllers.manifests import dig
from airflow_provider_seldon.local.kubelet.servers.routes import Operation, route

SERVER = "seldon_api_executor_server_requests_seconds"
CLIENT = "seldon_api_executor_client_requests_seconds"
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)

_HELP = {
    SERVER: "A histogram of latencies for executor server",
    CLIENT: "A histogram of latencies for client calls from executor",
}
#: The counted operations and their names; probes and pages are not counted.
_SERVICES = {
    Operation.PREDICT: "predictions",
    Operation.INFER: "predictions",
    Operation.FEEDBACK: "feedback",
    Operation.METADATA: "metadata",
    Operation.MODEL: "metadata",
    Operation.STATUS: "status",
    Operation.HEALTH: "status",
    Operation.MODEL_READY: "status",
}
_Key = tuple[str, tuple[tuple[str, str], ...]]


class RequestMetrics:
    """Counts the requests to a pod, from its start.

    :param pod: the pod
    :param predictor: the predictor of its engine; empty for a pod without an engine, which counts nothing
    """

    def __init__(self, *, pod: Manifest, predictor: Manifest) -> None:
        self.counts = bool(predictor)
        self._predictor = predictor
        self._common = {
            "deployment_name": _argument(pod, "--sdep"),
            "predictor_name": str(predictor.get("name", "")),
            "predictor_version": str(dig(predictor, "annotations", "version", default="")),
        }
        self._images = {box["name"]: str(box.get("image", "")) for _, box in containers_of(predictor)}
        self._series: dict[_Key, list[float]] = {}

    @property
    def deployment(self) -> str:
        """Name of the SeldonDeployment, from the engine's configuration."""
        return self._common["deployment_name"]

    @property
    def predictor(self) -> str:
        """Name of the predictor."""
        return self._common["predictor_name"]

    def observe(self, request: Request, *, status: int, seconds: float) -> None:
        """Count a handled request, and the calls of its graph."""
        operation = route(request.method, request.path).operation
        service = _SERVICES.get(operation)
        if not self.counts or service is None:
            return
        labels = {"code": str(status), "method": request.method.lower()}
        self._add(SERVER, self._common | {"service": service} | labels, seconds)
        if service != "predictions":
            return
        for unit in walk(self._predictor.get("graph") or {}):
            if unit.get("name") and not is_hardcoded(unit.get("implementation")):
                name = str(unit["name"])
                path = f"/v2/models/{name}/infer" if operation is Operation.INFER else "/predict"
                called = (
                    self._common
                    | {"service": path}
                    | self._model(name)
                    | {"code": str(status), "method": "post"}
                )
                self._add(CLIENT, called, seconds)

    def exposition(self) -> str:
        """Prometheus' text format."""
        lines: list[str] = []
        for name, text in _HELP.items():
            mine = sorted((key[1], found) for key, found in self._series.items() if key[0] == name)
            if mine:
                lines += [f"# HELP {name} {text}", f"# TYPE {name} histogram"]
            for labels, found in mine:
                lines += _histogram(name, dict(labels), found)
        return "\n".join([*lines, ""])

    def _model(self, name: str) -> dict[str, str]:
        """Name and version of an image, split like in the executor: at its only colon."""
        parts = self._images.get(name, "").split(":")
        version = parts[1] if len(parts) == 2 else ""
        return {"model_name": name, "model_image": parts[0], "model_version": version}

    def _add(self, name: str, labels: Mapping[str, str], seconds: float) -> None:
        key = name, tuple(sorted(labels.items()))
        found = self._series.setdefault(key, [0.0] * (len(BOUNDS) + 2))
        found[bisect_left(BOUNDS, seconds)] += 1
        found[-1] += seconds


def _histogram(name: str, labels: Mapping[str, str], found: list[float]) -> list[str]:
    lines, total = [], 0.0
    for bound, count in zip([*(f"{one:g}" for one in BOUNDS), "+Inf"], found[:-1], strict=True):
        total += count
        lines.append(f"{name}_bucket{_braces({**labels, 'le': bound})} {total:g}")
    return [
        *lines,
        f"{name}_sum{_braces(labels)} {found[-1]!r}",
        f"{name}_count{_braces(labels)} {total:.0f}",
    ]


def _braces(labels: Mapping[str, str]) -> str:
    return (
        "{"
        + ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
        + "}"
    )


def _argument(pod: Manifest, name: str) -> str:
    for container in dig(pod, "spec", "containers", default=[]):
        words = container.get("args") or []
        if container["name"] == ENGINE and name in words[:-1]:
            return str(words[words.index(name) + 1])
    return ""
