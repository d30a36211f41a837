"""The validating webhook of Seldon Core, in front of writes to SeldonDeployments."""

from __future__ import annotations

from airflow_provider_seldon.local.apiserver.request import RequestInfo
from airflow_provider_seldon.local.apiserver.store import Manifest


class AdmissionWebhook:
    """
    Checks SeldonDeployments before they are stored.

    :param enabled: Whether it checks anything.
    """

    def __init__(self, *, enabled: bool = True) -> None:
        self.enabled = enabled

    def __call__(self, info: RequestInfo, new: Manifest, old: Manifest | None) -> None:
        """Let the write pass, or raise."""
