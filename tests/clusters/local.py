"""Everything in this process."""

from __future__ import annotations

import itertools
from typing import Any

from airflow_provider_seldon.local.apiserver import ApiServer
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import LocalOptions
from tests.clusters import NEEDS, namespaces


def simulated(**options: Any) -> LocalOptions:
    """Return the options of the session's cluster: pods only pretend."""
    # Without a token, for the tests that ask the API server by plain requests.
    return LocalOptions(**{"kubelet": "simulated", "pod_startup": (0.02, 0.1), "token": None, **options})


class LocalClusters:
    """Local ones."""

    namespace = "default"
    real_pods = False

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def seldon(self) -> LocalSeldon:
        """Seldon Core with simulated pods."""
        return LocalSeldon(simulated())

    def api_server(self, **options: Any) -> Any:
        """A local API server."""
        return ApiServer(**options)

    def new_namespace(self, seldon: Any) -> str:
        """A namespace that nothing else uses."""
        name = f"test-{next(self._numbers)}"
        namespaces.create(seldon.api_url, name)
        return name

    def has(self, need: str) -> bool:
        """Everything is possible here."""
        return need in NEEDS

    def stop(self) -> None:
        """There is nothing to end."""
