"""Everything in this process."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.local.apiserver import ApiServer
from airflow_provider_seldon.local.cluster import LocalSeldon
from airflow_provider_seldon.local.options import LocalOptions


def simulated(**options: Any) -> LocalOptions:
    """Return the options of the session's cluster: pods only pretend."""
    return LocalOptions(kubelet="simulated", pod_startup=(0.02, 0.1), **options)


class LocalClusters:
    """Local ones."""

    def seldon(self) -> LocalSeldon:
        """Seldon Core with simulated pods."""
        return LocalSeldon(simulated())

    def api_server(self, **options: Any) -> ApiServer:
        """A local API server."""
        return ApiServer(**options)

    def why_not(self) -> str:
        """Everything is possible here."""
        return ""

    def stop(self) -> None:
        """There is nothing to end."""
