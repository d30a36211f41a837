"""What tests ask a local cluster, over plain HTTP: no code of the package takes part."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

Manifest = dict[str, Any]

_PATHS = {
    "seldondeployments": "/apis/machinelearning.seldon.io/v1",
    "deployments": "/apis/apps/v1",
    "replicasets": "/apis/apps/v1",
}


class RefusedError(Exception):
    """An HTTP error: its code and the body."""

    def __init__(self, code: int, body: str) -> None:
        super().__init__(f"{code}: {body[:500]}")
        self.code = code
        self.body = body


def seldon_deployment(name: str, *, uri: str = "gs://models/one", **predictor: Any) -> Manifest:
    """A SeldonDeployment with one predictor ``default`` and one scikit-learn model ``classifier``."""
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": uri}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name},
        "spec": {"predictors": [{"name": "default", "graph": graph} | predictor]},
    }


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One namespace of a running local cluster."""

    api_url: str
    gateway_url: str
    namespace: str = "default"

    def create(self, manifest: Manifest, plural: str = "seldondeployments") -> Manifest:
        """POST an object."""
        return self.call("POST", self.path(plural), manifest)

    def get(self, name: str, plural: str = "seldondeployments") -> Manifest:
        """GET an object."""
        return self.call("GET", self.path(plural, name))

    def list(self, plural: str, **labels: str) -> list[Manifest]:
        """LIST objects, by labels (write ``_`` for ``-``)."""
        selector = ",".join(f"{key.replace('_', '-')}={value}" for key, value in labels.items())
        return list(self.call("GET", f"{self.path(plural)}?labelSelector={selector}")["items"])

    def update(self, name: str, change: Callable[[Manifest], None]) -> Manifest:
        """Read a SeldonDeployment, change its spec, PUT it; again on a conflict."""
        for _ in range(20):
            manifest = self.get(name)
            change(manifest["spec"])
            try:
                return self.call("PUT", self.path("seldondeployments", name), manifest)
            except RefusedError as error:
                if error.code != 409:
                    raise
        raise AssertionError("20 conflicts in a row")

    def set_uri(self, name: str, uri: str) -> Manifest:
        """Give the first predictor another model."""

        def change(spec: Manifest) -> None:
            spec["predictors"][0]["graph"]["modelUri"] = uri

        return self.update(name, change)

    def delete(self, name: str, plural: str = "seldondeployments", propagation: str = "Background") -> None:
        """DELETE an object."""
        self.call("DELETE", self.path(plural, name), {"propagationPolicy": propagation})

    def wait(self, name: str, condition: Callable[[Manifest], Any], timeout: float = 20.0) -> Manifest:
        """Poll a SeldonDeployment until the condition holds; the object for which it did."""
        return self.wait_for(lambda: self.get(name), condition, timeout)

    def wait_available(self, name: str, timeout: float = 20.0) -> Manifest:
        """Poll until the state is Available and all pods of the current template are there."""
        return self.wait(name, lambda one: self.is_rolled_out(one), timeout)

    def is_rolled_out(self, deployment: Manifest) -> bool:
        """Whether state and children agree that this version, and nothing else, is there."""
        if state(deployment) != "Available":
            return False
        name = deployment["metadata"]["name"]
        children = self.list("deployments", seldon_deployment_id=name)
        uris = {one["graph"].get("modelUri") for one in deployment["spec"]["predictors"]} - {None}
        copied = {
            init["args"][0]
            for child in children
            for init in child["spec"]["template"]["spec"].get("initContainers", [])
        }
        is_current = all(uri in copied or uri.startswith("pvc:") for uri in uris)
        return bool(children) and is_current and all(_is_settled(child) for child in children)

    def wait_for(
        self, read: Callable[[], Any], condition: Callable[[Any], Any], timeout: float = 20.0
    ) -> Any:
        """Poll anything."""
        end = time.monotonic() + timeout
        while True:
            seen = read()
            if condition(seen):
                return seen
            if time.monotonic() > end:
                raise AssertionError(f"not within {timeout} s: {json.dumps(seen, indent=1)[:4000]}")
            time.sleep(0.02)

    @contextmanager
    def recorded(self, plural: str) -> Iterator[list[Manifest]]:
        """Every version of the objects of one type from now on, as a watch tells."""
        listed = self.call("GET", self.path(plural))
        seen: list[Manifest] = list(listed["items"])
        version = listed["metadata"]["resourceVersion"]
        url = f"{self.api_url}{self.path(plural)}?watch=true&resourceVersion={version}"
        with urllib.request.urlopen(url, timeout=60) as stream:
            thread = threading.Thread(target=_collect, args=(stream, seen), daemon=True)
            thread.start()
            yield seen
            # A watch may tell later than a read; what has been read is to be among what was seen.
            read = {version_of(one) for one in self.call("GET", self.path(plural))["items"]}
            self.wait_for(lambda: [version_of(one) for one in list(seen)], read.issubset)
            with suppress(OSError):
                stream.fp.raw._sock.shutdown(socket.SHUT_RDWR)
            thread.join(timeout=10)

    def events(self, reason: str = "") -> list[Manifest]:
        """The events of the namespace."""
        found = self.call("GET", self.path("events"))["items"]
        return [one for one in found if reason in ("", one["reason"])]

    def log(self, pod: str, container: str, *, previous: bool = False) -> str:
        """A container's log."""
        query = f"?container={container}&previous={'true' if previous else 'false'}"
        with urllib.request.urlopen(
            f"{self.api_url}{self.path('pods', pod)}/log{query}", timeout=10
        ) as answer:
            return str(answer.read().decode())

    def predict(self, name: str, body: Manifest, path: str = "/api/v1.0/predictions", **headers: str) -> Any:
        """POST to a deployment through the gateway; HTTP errors are raised."""
        url = f"{self.gateway_url}/seldon/{self.namespace}/{name}{path}"
        return _call("POST", url, body, headers)

    def path(self, plural: str, name: str = "") -> str:
        """URL path of a collection or an object."""
        root = _PATHS.get(plural, "/api/v1")
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    def call(self, method: str, path: str, body: Manifest | None = None) -> Any:
        """Any request to the API server."""
        return _call(method, self.api_url + path, body, {})


def state(deployment: Manifest) -> str | None:
    """The state word."""
    found: str | None = (deployment.get("status") or {}).get("state")
    return found


def condition(deployment: Manifest, kind: str) -> str | None:
    """The status of a condition."""
    for entry in (deployment.get("status") or {}).get("conditions") or []:
        if entry["type"] == kind:
            return str(entry["status"])
    return None


def version_of(manifest: Manifest) -> int:
    """When this version of an object was written."""
    return int(manifest["metadata"]["resourceVersion"])


def as_of(versions: list[Manifest], moment: Manifest) -> Manifest:
    """The version of an object that was current when another one was written; empty if there was none."""
    before = [one for one in versions if version_of(one) < version_of(moment)]
    return before[-1] if before else {}


def _collect(stream: Any, seen: list[Manifest]) -> None:
    with suppress(OSError, ValueError, AttributeError):
        for line in stream:
            event = json.loads(line)
            if event["type"] in ("ADDED", "MODIFIED"):
                seen.append(event["object"])


def _is_settled(child: Manifest) -> bool:
    status, wanted = child.get("status") or {}, child["spec"].get("replicas", 1)
    counts = [status.get(key, 0) for key in ("replicas", "updatedReplicas", "availableReplicas")]
    return bool(
        status.get("observedGeneration") == child["metadata"]["generation"] and counts == [wanted] * 3
    )


def _call(method: str, url: str, body: Manifest | None, headers: dict[str, str]) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | headers
    request = urllib.request.Request(url, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as error:
        with error:
            raise RefusedError(error.code, error.read().decode(errors="replace")) from None
