"""TCP keepalive: the kernel detects that the peer of an idle connection is gone."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kubernetes.client import Configuration


def keep_alive(configuration: Configuration, *, idle: int, interval: int, count: int) -> None:
    """
    Turn on TCP keepalive for the connections of a configuration of the official client.

    :param idle: seconds without traffic before the first probe.
    :param interval: seconds between two probes.
    :param count: unanswered probes after which the connection is closed.
    """
    from urllib3.connection import HTTPConnection

    wanted = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", idle), ("TCP_KEEPINTVL", interval), ("TCP_KEEPCNT", count)):
        if hasattr(socket, name):  # macOS and Windows lack some
            wanted.append((socket.IPPROTO_TCP, getattr(socket, name), value))
    options = configuration.socket_options
    kept = HTTPConnection.default_socket_options if options is None else options
    replaced = {option[:2] for option in wanted}
    configuration.socket_options = [option for option in kept if tuple(option[:2]) not in replaced] + wanted
