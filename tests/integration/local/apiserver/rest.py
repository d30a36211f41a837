"""A small client that shows exactly what the server says: codes, bodies, headers, watch lines."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
SELDON = "/apis/machinelearning.seldon.io/v1"
APPS = "/apis/apps/v1"
CORE = "/api/v1"

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the server answered."""

    code: int
    body: Any
    headers: requests.structures.CaseInsensitiveDict[str]

    @property
    def message(self) -> str:
        """The sentence of a ``Status``."""
        return str(self.body["message"])

    @property
    def reason(self) -> str:
        """The word of a ``Status``."""
        return str(self.body.get("reason", ""))

    @property
    def causes(self) -> list[tuple[str, str]]:
        """(field, reason) of each cause."""
        return [(cause.get("field", ""), cause["reason"]) for cause in self.body["details"]["causes"]]

    @property
    def metadata(self) -> Manifest:
        """The object's metadata."""
        metadata: Manifest = self.body["metadata"]
        return metadata

    @property
    def revision(self) -> str:
        """The object's or list's resource version."""
        return str(self.metadata["resourceVersion"])

    @property
    def names(self) -> list[str]:
        """The names of a list's items."""
        return [item["metadata"]["name"] for item in self.body["items"]]

    def ok(self) -> Answer:
        """Return the answer; fail the test when it is an error."""
        assert self.code < 300, self.body
        return self


class Rest:
    """Requests on one server, in one namespace."""

    def __init__(self, url: str, *, namespace: str = "default", token: str = "", verify: Any = True) -> None:
        self.url = url
        self.namespace = namespace
        self.token = token
        self._session = requests.Session()
        self._session.verify = verify
        self._session.trust_env = False

    def path(self, api: str, plural: str, name: str = "", subresource: str = "") -> str:
        """Return the path of a collection, an object or a subresource in this namespace."""
        path = f"{api}/namespaces/{self.namespace}/{plural}"
        return "/".join(filter(None, (path, name, subresource)))

    def sdep(self, name: str = "", subresource: str = "") -> str:
        """Return the path of SeldonDeployments."""
        return self.path(SELDON, "seldondeployments", name, subresource)

    def send(
        self, method: str, path: str, body: Any = None, *, kind: str = "application/json", **query: Any
    ) -> Answer:
        """Send any request."""
        headers = {"Content-Type": kind, "User-Agent": "tester/1.0", "Accept": query.pop("accept", "*/*")}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        with warnings.catch_warnings():
            # A real server's certificate is its own.
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            answer = self._session.request(
                method, self.url + path, data=data, headers=headers, params=query, timeout=30
            )
        is_json = answer.headers.get("Content-Type", "").startswith("application/json")
        return Answer(answer.status_code, answer.json() if is_json else answer.text, answer.headers)

    def get(self, path: str, **query: Any) -> Answer:
        """GET."""
        return self.send("GET", path, **query)

    def post(self, path: str, body: Any, **query: Any) -> Answer:
        """POST."""
        return self.send("POST", path, body, **query)

    def put(self, path: str, body: Any, **query: Any) -> Answer:
        """PUT."""
        return self.send("PUT", path, body, **query)

    def merge(self, path: str, body: Any, **query: Any) -> Answer:
        """PATCH with a merge patch."""
        return self.send("PATCH", path, body, kind=MERGE, **query)

    def apply(self, path: str, body: Any, *, manager: str, **query: Any) -> Answer:
        """PATCH with an applied configuration."""
        return self.send("PATCH", path, body, kind=APPLY, fieldManager=manager, **query)

    def delete(self, path: str, body: Any = None, **query: Any) -> Answer:
        """DELETE."""
        return self.send("DELETE", path, body, **query)

    def gone(self, path: str, *, seconds: float = 10.0) -> bool:
        """Wait until an object is gone."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.get(path).code == 404:
                return True
            time.sleep(0.02)
        return False

    @contextmanager
    def watch(self, path: str, **query: Any) -> Iterator[Iterator[Manifest]]:
        """Open a watch; yields its events."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        params = {"watch": "true", "timeoutSeconds": "20"} | query
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", urllib3.exceptions.InsecureRequestWarning)
            response = self._session.get(
                self.url + path, params=params, headers=headers, stream=True, timeout=30
            )
        with response:
            assert response.status_code == 200, response.text
            yield (json.loads(line) for line in response.iter_lines(chunk_size=None) if line)


def seldon_deployment(name: str, *, metadata: Manifest | None = None, **spec: Any) -> Manifest:
    """Return a small valid SeldonDeployment; ``spec`` replaces or adds fields."""
    graph = {"name": "classifier", "implementation": "SKLEARN_SERVER", "modelUri": "gs://bucket/model"}
    return {
        "apiVersion": "machinelearning.seldon.io/v1",
        "kind": "SeldonDeployment",
        "metadata": {"name": name} | (metadata or {}),
        "spec": {"predictors": [{"name": "default", "graph": graph}]} | spec,
    }


def deployment(name: str, *, metadata: Manifest | None = None, **spec: Any) -> Manifest:
    """Return a small valid Deployment; ``spec`` replaces or adds fields."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name} | (metadata or {}),
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": "image:1"}]},
            },
        }
        | spec,
    }


def pod(name: str, *, metadata: Manifest | None = None, **spec: Any) -> Manifest:
    """Return a small valid Pod."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name} | (metadata or {}),
        "spec": {"containers": [{"name": "main", "image": "image:1"}]} | spec,
    }


def secret(name: str, **parts: Any) -> Manifest:
    """Return a Secret."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}} | parts


def owned_by(owner: Answer, *, block: bool = True) -> Manifest:
    """Return metadata that makes an object a dependent of another."""
    reference = {
        "apiVersion": owner.body["apiVersion"],
        "kind": owner.body["kind"],
        "name": owner.metadata["name"],
        "uid": owner.metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": block,
    }
    return {"ownerReferences": [reference]}
