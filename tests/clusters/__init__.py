"""
Where the tests find their cluster; the tests themselves do not know.

With ``SELDON_TEST_KUBECONFIG`` it is a cluster that has Seldon Core; with ``KUBEBUILDER_ASSETS`` a kube-apiserver with
etcd, started from that directory, on which the local operator and kubelet work; without either it is all local.

A test whose pods only need to fail gets them by :mod:`tests.clusters.misbehaviour` anywhere. What needs more than a
existing cluster can do has a marker, and is skipped there before it runs.
"""

from __future__ import annotations

import os
from functools import cache
from typing import Any, Protocol

KUBECONFIG = "SELDON_TEST_KUBECONFIG"
ASSETS = "KUBEBUILDER_ASSETS"
#: Marker of a test -> what it needs; its argument says what for.
NEEDS = {
    "simulated_pods": "needs simulated pods",
    "own_operator": "needs an operator of the tests' own",
}
#: So many times longer than a simulated pod may a real one take.
_PATIENCE = 6


class Clusters(Protocol):
    """What there is for a session of tests."""

    #: Where the session's deployments go that need no namespace of their own.
    namespace: str
    #: Whether pods really run something, which takes time.
    real_pods: bool

    def seldon(self) -> Any:
        """A cluster with Seldon Core, as a context manager that yields what :class:`LocalSeldon` is."""

    def api_server(self, **options: Any) -> Any:
        """An API server without an operator, empty, as :class:`ApiServer` is, and with its options."""

    def new_namespace(self, seldon: Any) -> str:
        """A namespace that nothing else uses, on the cluster that :meth:`seldon` gave."""

    def has(self, need: str) -> bool:
        """Whether there is what a marker of :data:`NEEDS` asks for."""

    def stop(self) -> None:
        """End what was started for the session."""


@cache
def clusters() -> Clusters:
    """Return what the environment requests."""
    if os.environ.get(KUBECONFIG):
        from tests.clusters.existing import ExistingClusters

        return ExistingClusters(os.environ[KUBECONFIG])
    if os.environ.get(ASSETS):
        from tests.clusters.envtest import EnvtestClusters

        return EnvtestClusters(os.environ[ASSETS])
    from tests.clusters.local import LocalClusters

    return LocalClusters()


def patience(seconds: float) -> float:
    """Return how long to wait for what simulated pods do within so many seconds."""
    return seconds * _PATIENCE if clusters().real_pods else seconds
