"""
A cluster that has Seldon Core, named by ``SELDON_TEST_KUBECONFIG``; ``SELDON_TEST_INGRESS_URL`` is its ingress.

Nothing is installed. Each process of the tests makes namespaces of its own and removes them. It comes in by a proxy,
where faults are ordered and requests are counted.

Pods are real when there is a store for their models, see ``model_store``; without it, only ``local`` with simulated
pods will do, started elsewhere.
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import pytest
import requests
import yaml

from airflow_provider_seldon.local.apiserver.http.external_api_server import ExternalApiServer
from airflow_provider_seldon.local.apiserver.http.proxy import ApiProxy
from airflow_provider_seldon.local.faults import Faults
from airflow_provider_seldon.local.kubelet.pods.kubelet import NODE
from tests.clusters import model_store, namespaces

INGRESS = "SELDON_TEST_INGRESS_URL"


class ExistingClusters:
    """
    That cluster.

    :param kubeconfig: the way in.
    """

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = Path(kubeconfig)
        self._numbers = itertools.count(1)
        self.real_pods = bool(model_store.settings())
        self.namespace = f"seldon-test-{secrets.token_hex(3)}"

    def seldon(self) -> ExistingSeldon:
        """The cluster."""
        return ExistingSeldon(self._kubeconfig, self.namespace, real_pods=self.real_pods)

    def api_server(self, **options: Any) -> NoReturn:
        """There is none without an operator."""
        pytest.skip("needs an API server without an operator")

    def new_namespace(self, seldon: Any) -> str:
        """A namespace that nothing else uses."""
        name = f"{self.namespace}-{next(self._numbers)}"
        seldon.make_namespace(name)
        return name

    def has(self, need: str) -> bool:
        """Its operator takes no orders; its pods may be simulated."""
        return need == "simulated_pods" and not self.real_pods

    def stop(self) -> None:
        """There is nothing to end."""


class NoFaults(Faults):
    """Nobody can order what goes wrong for the cluster's own components."""

    def add(self, fault: Any) -> NoReturn:
        """Tell whoever wrote the test."""
        raise NotImplementedError("mark this test with own_operator")


class ExistingSeldon:
    """
    What the tests ask of a cluster.

    :param kubeconfig: the way in.
    :param namespace: namespace to make and to use.
    :param real_pods: whether pods need models.
    """

    def __init__(self, kubeconfig: Path, namespace: str, *, real_pods: bool) -> None:
        self._proxy = ApiProxy(external=ExternalApiServer.of_kubeconfig(kubeconfig))
        self._stack = ExitStack()
        self._namespace = namespace
        self._made: list[str] = []
        self._real_pods = real_pods
        self.controller_faults = NoFaults()
        self.kubeconfig_path: Path
        self.gateway_url = os.environ.get(INGRESS, "").rstrip("/")

    @property
    def api_url(self) -> str:
        """Base URL of the proxy."""
        return self._proxy.url

    @property
    def faults(self) -> Faults:
        """What goes wrong for the client under test."""
        return self._proxy.faults

    @property
    def requests(self) -> Any:
        """The requests of the client under test."""
        return self._proxy.requests

    def airflow_connection(self, **extra: Any) -> str:
        """The connection, as :class:`LocalSeldon` gives it; it names the models' Secret, if no other storage."""
        settings = {"kube_config_path": str(self.kubeconfig_path), "namespace": self._namespace}
        if self.gateway_url:
            settings["ingress_url"] = self.gateway_url
        if self._real_pods and "storage_conn_id" not in extra:
            settings["storage_env_from"] = model_store.SECRET
        return json.dumps({"conn_type": "seldon", "extra": settings | extra})

    def pause_operator(self) -> NoReturn:
        """Tell whoever wrote the test."""
        raise NotImplementedError("mark this test with own_operator")

    resume_operator = pause_operator

    def make_namespace(self, name: str) -> None:
        """Make a namespace whose pods can read the models, until the session ends."""
        namespaces.create(self.api_url, name)
        self._made.append(name)
        if self._real_pods:
            model_store.create_secret(self.api_url, name)

    def __enter__(self) -> ExistingSeldon:
        from tests.conftest import in_thread

        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="seldon-tests-"))
        self._stack.enter_context(in_thread(self._proxy))
        self.kubeconfig_path = Path(folder) / "kubeconfig"
        context = {"cluster": "c", "user": "u", "namespace": self._namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.api_url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": context}],
            "current-context": "x",
        }
        self.kubeconfig_path.write_text(yaml.safe_dump(config))
        if self._real_pods:
            model_store.fill()
        else:
            self._refuse_real_nodes()
        self.make_namespace(self._namespace)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in self._made:
            with suppress(requests.RequestException):
                namespaces.delete(self.api_url, name)
        self._stack.close()

    def _refuse_real_nodes(self) -> None:
        found = requests.get(f"{self.api_url}/api/v1/nodes", timeout=30)
        nodes = [one["metadata"]["name"] for one in found.json()["items"]] if found.ok else []
        if set(nodes) - {NODE}:
            pytest.exit("RCLONE_CONFIG_S3_* must say where the pods of this cluster get models from", 4)
