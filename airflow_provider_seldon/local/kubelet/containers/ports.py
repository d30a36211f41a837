"""Ports of containers as ports of this machine.

In a cluster each pod has its own address and every model server listens on 9000; here they share one address,
so each container's ports get free numbers, which replace those in variables for ports (``...PORT...``).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping

from airflow_provider_seldon.local.client.kinds import Manifest


def free_ports(count: int) -> list[int]:
    """Numbers of free TCP ports of the loopback address; all different."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


class Ports:
    """The ports of one container.

    :param container: its entry in the pod's specification
    """

    def __init__(self, container: Manifest) -> None:
        entries = container.get("ports") or []
        numbers = list(
            dict.fromkeys([int(entry["containerPort"]) for entry in entries] + _unlisted(container))
        )
        self._local = dict(zip(numbers, free_ports(len(numbers)), strict=True))
        self._names = {
            str(entry["name"]): int(entry["containerPort"]) for entry in entries if entry.get("name")
        }

    def local(self, port: int | str) -> int | None:
        """The port of this machine for a container port, given by number or by name."""
        number = self._names.get(port) if isinstance(port, str) and not port.isdigit() else int(port)
        return self._local.get(number) if number is not None else None

    def first(self, names: Iterable[str] = ("http",)) -> int | None:
        """The port of the first of these names that exists, else the first of all."""
        for name in names:
            if name in self._names:
                return self._local[self._names[name]]
        return next(iter(self._local.values()), None)

    def substitute(self, env: Mapping[str, str]) -> dict[str, str]:
        """The variables, with replaced container ports in those for ports."""
        replaced = dict(env)
        for name, value in env.items():
            if "PORT" in name and value.isdigit() and int(value) in self._local:
                replaced[name] = str(self._local[int(value)])
        return replaced


def _unlisted(container: Manifest) -> list[int]:
    """Ports for metrics that are only in variables, because the operator overwrites a server's ports."""
    values = [
        str(entry.get("value", ""))
        for entry in container.get("env") or []
        if entry["name"].endswith(("METRICS_PORT", "METRICS_SERVICE_PORT"))
    ]
    return [int(value) for value in values if value.isdigit()]
