"""A Kubernetes API server for one machine: see :class:`ApiServer`."""

from __future__ import annotations

from airflow_provider_seldon.local.apiserver.access.authorization import Deny, User
from airflow_provider_seldon.local.apiserver.http.server import ApiServer
from airflow_provider_seldon.local.apiserver.protocol.request_log import LoggedRequest, RequestLog
from airflow_provider_seldon.local.apiserver.protocol.status import StatusError
from airflow_provider_seldon.local.apiserver.reads.logs import LogOptions, LogSource

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
