"""
Pods of a deployment: the list of them, their logs and their events.

Logs are those of *all* requested pods, with each line unchanged, empty ones included; of a crashed container,
the log is that of its previous run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_seldon.core.children.expected import ID_LABEL, deployment_id
from airflow_provider_seldon.core.readiness.diagnosis import event_time
from airflow_provider_seldon.exceptions import NotFoundError, RejectedError
from airflow_provider_seldon.kube.requests import paths
from airflow_provider_seldon.kube.requests.transport import Transport

#: Label that the operator puts on pods; its value is the deployment's name, or the predictor Service's name
#: on the pods of a separate engine (Seldon Core reference, labels).
ENGINE_CONTAINER = "seldon-container-engine"


class PodReader:
    """
    Reads pods, logs and events of one namespace.

    :param transport: connection to the API server.
    :param namespace: the namespace of every call.
    """

    def __init__(self, transport: Transport, *, namespace: str) -> None:
        self._transport = transport
        self._namespace = namespace

    def of_deployment(self, name: str, *, engines: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """
        List the pods of deployment ``name``, newest first, those of a separate engine included.

        :param engines: further values of the label, one per predictor Service (a separate engine's pods have
            that value instead of the deployment's name).
        """
        values = ",".join([deployment_id(paths.checked(name)), *(engines or {}).values()])
        answer = self._transport.request(
            "GET", paths.pods(self._namespace), query={"labelSelector": f"{ID_LABEL} in ({values})"}
        )
        pods: list[dict[str, Any]] = list(answer.get("items") or ())
        return sorted(pods, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), reverse=True)

    def of_all(self) -> list[dict[str, Any]]:
        """List the pods of all deployments of the namespace."""
        answer = self._transport.request(
            "GET", paths.pods(self._namespace), query={"labelSelector": ID_LABEL}
        )
        return list(answer.get("items") or ())

    def events(self, *, about: str | None = None, warnings_only: bool = False) -> list[dict[str, Any]]:
        """
        List events, oldest first.

        :param about: name of the object concerned, of any kind; all when None.
        :param warnings_only: leave out normal events.
        """
        selectors = [f"involvedObject.name={paths.checked(about)}"] if about else []
        if warnings_only:
            selectors.append("type=Warning")
        answer = self._transport.request(
            "GET", paths.events(self._namespace), query={"fieldSelector": ",".join(selectors) or None}
        )
        return sorted(answer.get("items") or (), key=event_time)

    def logs(
        self,
        pod: str,
        *,
        container: str,
        follow: bool = False,
        tail: int | None = None,
        previous: bool = False,
    ) -> Iterator[str]:
        """
        Yield the log lines of one container.

        :param follow: continue until the container ends.
        :param tail: number of lines, from the end of the log.
        :param previous: the run before the last restart.
        :raises NotFoundError: there is no such pod.
        :raises RejectedError: there is no such container, it has not started, or it has no previous run.
        """
        yield from self._transport.lines(
            paths.pod_log(self._namespace, pod),
            query={
                "container": container,
                "follow": "true" if follow else None,
                "tailLines": tail,
                "previous": "true" if previous else None,
            },
            follow=follow,
        )

    def all_logs(
        self,
        name: str,
        *,
        container: str | None = None,
        follow: bool = False,
        tail: int | None = None,
        engines: Mapping[str, str] | None = None,
    ) -> Iterator[str]:
        """
        Yield the log lines of a deployment, pod after pod, each line prefixed ``[pod container]``.

        Without ``follow``, every pod is shown, newest first. With it, the newest pod is followed.

        :param container: one container; without it, every relevant container, the model's before the
            engine's, and of a crashed one the previous run.
        """
        pods = self.of_deployment(name, engines=engines)
        if not pods:
            raise NotFoundError(f"Deployment {name} has no pods, so there are no logs yet.")
        for pod in pods[:1] if follow else pods:
            chosen = [container] if container else containers_to_show(pod)
            for one in chosen[:1] if follow else chosen:
                yield from self._container_lines(pod, one, follow=follow, tail=tail)

    def _container_lines(
        self, pod: dict[str, Any], container: str, *, follow: bool, tail: int | None
    ) -> Iterator[str]:
        name = pod["metadata"]["name"]
        prefix = f"[{name} {container}]"
        if not pod["spec"].get("nodeName"):
            # Without a node there is no kubelet, and the API server returns an empty log.
            yield f"{prefix} (no log: {_why_unscheduled(pod)})"
            return
        previous = not follow and is_waiting_after_crash(pod, container)
        try:
            for line in self.logs(name, container=container, follow=follow, tail=tail, previous=previous):
                yield f"{prefix} {line}"
        except RejectedError as error:
            # A container that has not started yet has no log; the other containers may have.
            yield f"{prefix} (no log: {error})"
        except NotFoundError:
            yield f"{prefix} (no log: the pod is gone)"


def _why_unscheduled(pod: Mapping[str, Any]) -> str:
    for entry in (pod.get("status") or {}).get("conditions") or ():
        if entry.get("type") == "PodScheduled" and entry.get("message"):
            return str(entry["message"])
    return "the pod has no node yet"


def containers_to_show(pod: Mapping[str, Any]) -> list[str]:
    """
    Return the containers of a pod with relevant logs: the first init container that has failed or has not
    finished; without one, the model's containers, then the engine.
    """
    status = pod.get("status") or {}
    pending_init = [
        entry["name"]
        for entry in status.get("initContainerStatuses") or ()
        if not (entry.get("state") or {}).get("terminated") or entry["state"]["terminated"].get("exitCode")
    ]
    if pending_init:
        return pending_init[:1]
    names = [container["name"] for container in (pod.get("spec") or {}).get("containers") or ()]
    return sorted(names, key=lambda name: name == ENGINE_CONTAINER)


def is_waiting_after_crash(pod: Mapping[str, Any], container: str) -> bool:
    """Return whether the container waits for a restart, so that its log is that of the previous run."""
    status = pod.get("status") or {}
    for entry in [*(status.get("containerStatuses") or ()), *(status.get("initContainerStatuses") or ())]:
        if entry.get("name") == container:
            return bool((entry.get("state") or {}).get("waiting")) and bool(entry.get("restartCount"))
    return False
