"""A Kubernetes API server for one machine: see :class:`ApiServer`."""

from __future__ import annotations

from airflow_provider_seldon.local.apiserver.authorization import Deny, User
from airflow_provider_seldon.local.apiserver.logs import LogOptions, LogSource
from airflow_provider_seldon.local.apiserver.requestlog import LoggedRequest, RequestLog
from airflow_provider_seldon.local.apiserver.server import ApiServer
from airflow_provider_seldon.local.apiserver.status import StatusError

__all__ = [
    "ApiServer",
    "Deny",
    "LogOptions",
    "LogSource",
    "LoggedRequest",
    "RequestLog",
    "StatusError",
    "User",
]
