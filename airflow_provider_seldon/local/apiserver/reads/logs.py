"""Pod logs: the choice of the container, the errors for one without a log, and the stream.

Purpose: ``GET .../pods/<name>/log``. The text itself comes from a :class:`LogSource`, which the kubelet of the local
Seldon implements.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from airflow_provider_seldon.local.apiserver.objects.store import Stored
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """
    The requested part of a log.

    :param follow: Continue until the container ends.
    :param tail: Only this many last lines; ``None`` for all.
    :param previous: The log of the container's previous run.
    :param since_seconds: Only lines of that many last seconds.
    :param since_time: Only lines after this time, RFC 3339.
    :param timestamps: Put an RFC 3339 time in front of each line.
    :param limit_bytes: End after that many bytes.
    """

    follow: bool = False
    tail: int | None = None
    previous: bool = False
    since_seconds: int | None = None
    since_time: str | None = None
    timestamps: bool = False
    limit_bytes: int | None = None


class LogSource(Protocol):
    """Source of the logs of pods."""

    def stream(
        self, namespace: str, pod: str, container: str, *, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """
        Yield the log of a container in pieces.

        :raises LookupError: When there is no such log (``previous`` of a container that never restarted).
        """
        ...


async def respond(
    request: web.Request, source: LogSource | None, pod: Stored, info: RequestInfo
) -> web.StreamResponse:
    """
    Handle a request for a pod's log.

    :raises StatusError: 400 when the container is not named, unknown or has not started; 500 without a source.
    """
    options = _options(info)
    container = _container(pod, info.query.get("container", ""))
    if not (pod.manifest.get("spec") or {}).get("nodeName"):
        return web.Response(status=204)  # no kubelet is connected
    _check_started(pod, container, options)
    if source is None:
        raise status.internal_error("no kubelet is connected to this API server")
    namespace, name = pod.key
    pieces = source.stream(namespace, name, container, options=options)
    response = web.StreamResponse(headers={"Content-Type": "text/plain"})
    response.enable_chunked_encoding()
    left = options.limit_bytes
    started = False
    try:
        async for piece in pieces:
            if not started:
                started = True
                await response.prepare(request)
            if left is not None:
                piece = piece[:left]
                left -= len(piece)
            await response.write(piece)
            if left is not None and left <= 0:
                break
    except LookupError:
        if started:
            raise
        raise _no_previous(pod, container) from None
    if not started:
        await response.prepare(request)
    await response.write_eof()
    return response


def _options(info: RequestInfo) -> LogOptions:
    tail, since, limit = info.number("tailLines"), info.number("sinceSeconds"), info.number("limitBytes")
    causes = []
    if tail is not None and tail < 0:
        causes.append(_invalid("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        causes.append(_invalid("limitBytes", limit, "must be greater than 0"))
    if since is not None and since < 1:
        causes.append(_invalid("sinceSeconds", since, "must be greater than 0"))
    if causes:
        raise status.invalid(group="", kind="PodLogOptions", name=info.name, causes=causes)
    return LogOptions(
        follow=info.flag("follow"),
        tail=tail,
        previous=info.flag("previous"),
        since_seconds=since,
        since_time=info.query.get("sinceTime") or None,
        timestamps=info.flag("timestamps"),
        limit_bytes=limit,
    )


def _invalid(field: str, value: int, message: str) -> dict[str, str]:
    return status.cause(reason="FieldValueInvalid", message=f"Invalid value: {value}: {message}", field=field)


def _container(pod: Stored, wanted: str) -> str:
    spec: Mapping[str, Any] = pod.manifest.get("spec") or {}
    names = [str(container["name"]) for container in spec.get("containers") or []]
    inits = [str(container["name"]) for container in spec.get("initContainers") or []]
    name = pod.metadata["name"]
    if wanted:
        if wanted not in names + inits:
            raise status.bad_request(f"container {wanted} is not valid for pod {name}")
        return wanted
    if len(names) == 1:
        return names[0]
    choices = f"a container name must be specified for pod {name}, choose one of: [{' '.join(names)}]"
    if inits:
        choices += f" or one of the init containers: [{' '.join(inits)}]"
    raise status.bad_request(choices)


def _check_started(pod: Stored, container: str, options: LogOptions) -> None:
    pod_status: Mapping[str, Any] = pod.manifest.get("status") or {}
    for kind in ("containerStatuses", "initContainerStatuses"):
        for entry in pod_status.get(kind) or []:
            if entry.get("name") == container:
                _check_state(pod, container, entry, options)
                return
    if options.previous:
        raise _no_previous(pod, container)


def _check_state(pod: Stored, container: str, entry: Mapping[str, Any], options: LogOptions) -> None:
    previous_run = (entry.get("lastState") or {}).get("terminated")
    if options.previous:
        if previous_run is None and not entry.get("restartCount"):
            raise _no_previous(pod, container)
        return
    waiting = (entry.get("state") or {}).get("waiting")
    if waiting is None or previous_run is not None:
        return
    reason = waiting.get("reason", "")
    name = pod.metadata["name"]
    if reason in ("ErrImagePull", "ImagePullBackOff"):
        cause = (
            "trying and failing to pull image" if reason == "ImagePullBackOff" else "image can't be pulled"
        )
        raise status.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {cause}')
    raise status.bad_request(f'container "{container}" in pod "{name}" is waiting to start: {reason}')


def _no_previous(pod: Stored, container: str) -> status.StatusError:
    return status.bad_request(
        f'previous terminated container "{container}" in pod "{pod.metadata["name"]}" not found'
    )
