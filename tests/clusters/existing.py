"""
A cluster that has Seldon Core, named by ``SELDON_TEST_KUBECONFIG``; ``SELDON_TEST_INGRESS_URL`` is its ingress.

Nothing is installed. The tests use the namespace ``default``, and refuse one in which there are SeldonDeployments of
somebody else. They come in by a proxy, where faults are ordered and requests are counted. What such a cluster cannot do
(pods that misbehave to order, an operator that pauses, a server without an operator) skips the test that asks for it.
"""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

import pytest
import requests
import yaml

from airflow_provider_seldon.local.apiserver.proxy import ApiProxy
from airflow_provider_seldon.local.faults import Faults
from airflow_provider_seldon.local.kubelet.simulated import ANNOTATION_BEHAVIOUR
from airflow_provider_seldon.local.upstream import Upstream

INGRESS = "SELDON_TEST_INGRESS_URL"
NAMESPACE = "default"
_DEPLOYMENTS = f"/apis/machinelearning.seldon.io/v1/namespaces/{NAMESPACE}/seldondeployments"


class ExistingClusters:
    """
    That cluster.

    :param kubeconfig: the way in.
    """

    def __init__(self, kubeconfig: str) -> None:
        self._kubeconfig = Path(kubeconfig)
        self._seldon: ExistingSeldon | None = None

    def seldon(self) -> ExistingSeldon:
        """The cluster."""
        self._seldon = ExistingSeldon(self._kubeconfig)
        return self._seldon

    def why_not(self) -> str:
        """Why the test that has just failed could not succeed here; empty when it could."""
        return self._seldon.why_not() if self._seldon else ""

    def api_server(self, **options: Any) -> NoReturn:
        """There is none without an operator."""
        pytest.skip("needs an API server without an operator")

    def stop(self) -> None:
        """There is nothing to end."""


class NoFaults(Faults):
    """Nobody can order what goes wrong for the cluster's own components."""

    def add(self, fault: Any) -> NoReturn:
        """Skip the test."""
        pytest.skip("needs an operator whose requests go wrong to order")


class WatchfulProxy(ApiProxy):
    """Notices what only simulated pods do."""

    def __init__(self, *, upstream: Upstream) -> None:
        super().__init__(upstream=upstream)
        self.asked_to_misbehave = False
        answer = self._forwarder.answer

        async def noticing(request: Any, *arguments: Any, **options: Any) -> Any:
            self.asked_to_misbehave |= ANNOTATION_BEHAVIOUR.encode() in await request.read()
            return await answer(request, *arguments, **options)

        self._forwarder.answer = noticing  # type: ignore[method-assign]


class ExistingSeldon:
    """
    What the tests ask of a cluster.

    :param kubeconfig: the way in.
    """

    def __init__(self, kubeconfig: Path) -> None:
        self._proxy = WatchfulProxy(upstream=Upstream.of_kubeconfig(kubeconfig))
        self._stack = ExitStack()
        self.controller_faults = NoFaults()
        self.kubeconfig_path: Path
        self.gateway_url = os.environ.get(INGRESS, "")

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
        """The connection, as :class:`LocalSeldon` gives it."""
        settings = {"kube_config_path": str(self.kubeconfig_path), "namespace": NAMESPACE}
        if self.gateway_url:
            settings["ingress_url"] = self.gateway_url
        return json.dumps({"conn_type": "seldon", "extra": settings | extra})

    def why_not(self) -> str:
        """Why the test that has just failed could not succeed here; empty when it could."""
        asked, self._proxy.asked_to_misbehave = self._proxy.asked_to_misbehave, False
        return "needs pods that misbehave to order" if asked else ""

    def pause_operator(self) -> NoReturn:
        """Skip the test."""
        pytest.skip("needs an operator that pauses to order")

    def resume_operator(self) -> None:
        """It was never paused."""

    def __enter__(self) -> ExistingSeldon:
        from tests.conftest import in_thread

        folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="seldon-tests-"))
        self._stack.enter_context(in_thread(self._proxy))
        self.kubeconfig_path = Path(folder) / "kubeconfig"
        context = {"cluster": "c", "user": "u", "namespace": NAMESPACE}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": self.api_url}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": context}],
            "current-context": "x",
        }
        self.kubeconfig_path.write_text(yaml.safe_dump(config))
        found = requests.get(f"{self.api_url}{_DEPLOYMENTS}", timeout=30)
        found.raise_for_status()
        if found.json()["items"]:
            pytest.exit(
                f"there are SeldonDeployments in the namespace {NAMESPACE!r}: the tests would delete them", 4
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
