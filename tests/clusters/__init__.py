"""
Where the tests find their cluster; the tests themselves do not know.

With ``SELDON_TEST_KUBECONFIG`` it is a cluster that has Seldon Core; with ``KUBEBUILDER_ASSETS`` a kube-apiserver with
etcd, started from that directory, on which the local operator and kubelet work; without either it is all local.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Protocol

KUBECONFIG = "SELDON_TEST_KUBECONFIG"
ASSETS = "KUBEBUILDER_ASSETS"


class Clusters(Protocol):
    """What there is for a session of tests."""

    def seldon(self) -> Any:
        """A cluster with Seldon Core, as a context manager that yields what :class:`LocalSeldon` is."""

    def api_server(self, **options: Any) -> Any:
        """An API server without an operator, empty, as :class:`ApiServer` is, and with its options."""

    def why_not(self) -> str:
        """Why the test that has just failed could not succeed on this cluster; empty when it could."""

    def stop(self) -> None:
        """End what was started for the session."""


@cache
def clusters() -> Clusters:
    """Return what the environment asks for."""
    if os.environ.get(KUBECONFIG):
        from tests.clusters.existing import ExistingClusters

        return ExistingClusters(os.environ[KUBECONFIG])
    if os.environ.get(ASSETS):
        from tests.clusters.envtest import EnvtestClusters

        return EnvtestClusters(os.environ[ASSETS])
    from tests.clusters.local import LocalClusters

    return LocalClusters()
