"""
Derive the cause of a failure from pods and events.

Pure: takes what was read and returns causes, the most informative first. It neither decides whether a rollout
has failed (``readiness`` does) nor reads anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from airflow_provider_seldon.core.resource.unstructured import Object, mapping_at, text_at

#: Waiting reasons that are part of a normal start.
NORMAL_WAITING = frozenset({"ContainerCreating", "PodInitializing"})

#: Text found in a reason, message, event or log -> what to do. The first match is shown.
_MLFLOW = (
    "the storage initializer does not support MLflow URIs (models:/, runs:/, ...): give the URI of the files "
    "(mlflow.artifacts.download_artifacts and SeldonStageModelOperator copy them to storage that can be "
    "served from)"
)
HINTS: tuple[tuple[str, str], ...] = (
    ('"models:/', _MLFLOW), ('"runs:/', _MLFLOW), ('"mlflow-artifacts:/', _MLFLOW),
    ('config file ("models")', _MLFLOW), ('config file ("runs")', _MLFLOW),
    ("didn't find section in config file", "rclone has no settings for the scheme of the model URI: name a storage "
     "Secret or a storage connection"),
    ("NoSuchBucket", "the bucket of the model URI does not exist"),
    ("NoSuchKey", "the object does not exist: check the model URI"),
    ("AccessDenied", "the storage refused access: check the storage credentials and the bucket's policy"),
    ("403 Forbidden", "the storage refused access: check the storage credentials and the bucket's policy"),
    ("directory not found", "there is nothing at the model URI: check it, and that the model was stored there"),
    ("object not found", "there is nothing at the model URI: check it, and that the model was stored there"),
    ("No such file or directory", "a file is missing at the model URI: check the layout that the server expects "
     "(SKLEARN_SERVER: model.joblib)"),
    ("Invalid URI specified for model", "the file that the server expects is not at the model URI: check its name "
     "and layout (SKLEARN_SERVER: model.joblib)"),
    ("Is a directory", "the file that the server expects is not at the model URI: check its name and layout "
     "(SKLEARN_SERVER: model.joblib)"),
    ("ImagePullBackOff", "the image cannot be pulled: check its name, tag and pull secret"),
    ("ErrImagePull", "the image cannot be pulled: check its name, tag and pull secret"),
    ("InvalidImageName", "the image's name is not a valid reference"),
    ("OOMKilled", "the container ran out of memory: raise resources.limits.memory"),
    ("CreateContainerConfigError", "a Secret or ConfigMap, or a key in it, is missing"),
    ("exceeded quota", "the namespace's quota does not allow another pod; during a rollout two versions run"),
    ("nvidia.com/gpu", "no node has a free GPU; a rollout needs one more until the old pod is gone"),
    ("Insufficient", "no node has room for the pod: lower resources.requests or add nodes"),
    ("failed calling webhook", "an admission webhook did not answer; is Seldon Core's operator running?"),
    ("must be no more than 63 characters", "a name is too long: shorten the deployment, predictor or container name"),
    ("ModuleNotFoundError", "the image lacks a Python package that the model needs"),
    ("CrashLoopBackOff", "the container exits right after its start: see its log"),
)  # fmt: skip


_ERROR = re.compile(r"\b(ERROR|FATAL|CRITICAL|Error:|Exception:|panic:|Failed to|No such file)")


@dataclass(frozen=True, kw_only=True)
class Cause:
    """
    One container or pod that keeps a rollout from completing.

    :param pod: name of the pod.
    :param container: name of the container; "" when the cause is the pod itself.
    :param reason: Kubernetes' CamelCase reason, such as ``CrashLoopBackOff``.
    :param message: Kubernetes' own message.
    :param exit_code: exit code of the last run, None when it has not ended.
    :param previous_log: whether the relevant log is that of the previous run.
    :param started: whether there can be a log at all.
    """

    pod: str
    container: str = ""
    reason: str = ""
    message: str = ""
    exit_code: int | None = None
    previous_log: bool = False
    started: bool = False

    def __str__(self) -> str:
        where = f"pod {self.pod}" + (f", container {self.container}" if self.container else "")
        code = f", exit code {self.exit_code}" if self.exit_code is not None else ""
        return f"{where}: {self.reason}{code}" + (f": {self.message}" if self.message else "")


def causes_of(pods: Sequence[Object]) -> list[Cause]:
    """Return the causes found in the pods; failed containers come before waiting ones."""
    found = [cause for pod in pods for cause in _of_pod(pod)]
    # A container that is only not ready yet, such as the engine of a crashing model, adds nothing to a
    # real cause.
    serious = [cause for cause in found if cause.reason != "NotReady"]
    return sorted(serious or found, key=lambda one: one.exit_code is None)


def telling_lines(log: Sequence[str], most: int) -> list[str]:
    """
    Return the lines of a log that show why the container ended: the last traceback or error, else the last
    lines.

    Many servers (MLServer among them) still log an orderly shutdown after the error that ended them.

    :param most: maximum number of lines.
    """
    start = _last(log, lambda line: line.startswith("Traceback (most recent call last)"))
    if start is not None:
        end = next(
            (at for at in range(start + 1, len(log)) if log[at] and not log[at][0].isspace()), len(log) - 1
        )
        return list(log[max(start, end - most + 1) : end + 1])
    error = _last(log, lambda line: bool(_ERROR.search(line)))
    if error is None:
        return list(log[-most:])
    start = max(0, error - most // 2)
    return list(log[start : start + most])


def hint(*texts: str) -> str:
    """Return the advice for the first known cause in the texts, "" when there is none."""
    whole = "\n".join(texts)
    return next((advice for pattern, advice in HINTS if pattern in whole), "")


def events_about(name: str, events: Iterable[Object], *, pods: Collection[str], since: str) -> list[Object]:
    """
    Return the events about a deployment, its children, and its current pods.

    An API server keeps events for an hour, including those of deleted pods and of an earlier deployment with
    the same name; these are about other failures.

    :param name: name of the deployment.
    :param events: the events of its namespace.
    :param pods: uids of its pods.
    :param since: creation time of the deployment, as Kubernetes writes it.
    """
    found = []
    for event in events:
        about = mapping_at(event, "involvedObject")
        if text_at(about, "kind") == "Pod":
            concerned = text_at(about, "uid") in pods
        else:
            ours = text_at(about, "name") == name or text_at(about, "name").startswith(f"{name}-")
            concerned = ours and event_time(event) >= since
        if concerned:
            found.append(event)
    return found


def event_time(event: Object) -> str:
    """Return when an event last happened, as Kubernetes writes it."""
    when = text_at(event, "lastTimestamp") or text_at(event, "eventTime")
    return when or text_at(event, "metadata", "creationTimestamp")


def _last(log: Sequence[str], matches: Callable[[str], bool]) -> int | None:
    return next((at for at in range(len(log) - 1, -1, -1) if matches(log[at])), None)


def _of_pod(pod: Object) -> Iterator[Cause]:
    name = str((pod.get("metadata") or {}).get("name", ""))
    status = pod.get("status") or {}
    for condition in status.get("conditions") or ():
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            yield Cause(
                pod=name, reason=str(condition.get("reason", "")), message=str(condition.get("message", ""))
            )
    init_failed = False
    for entry in status.get("initContainerStatuses") or ():
        for cause in _of_container(name, entry, is_init=True):
            init_failed = True
            yield cause
    if not init_failed:
        for entry in status.get("containerStatuses") or ():
            yield from _of_container(name, entry, is_init=False)


def _of_container(pod: str, entry: Object, *, is_init: bool) -> Iterator[Cause]:
    state = entry.get("state") or {}
    waiting, terminated = state.get("waiting") or {}, state.get("terminated") or {}
    last = (entry.get("lastState") or {}).get("terminated") or {}
    container = str(entry.get("name", ""))
    ended = terminated or (last if waiting or not entry.get("ready") else {})
    code = ended.get("exitCode")
    if (terminated and (code or not is_init)) or (ended and code is not None and not terminated):
        reason = ended.get("reason") if ended.get("reason") == "OOMKilled" else waiting.get("reason")
        yield Cause(
            pod=pod,
            container=container,
            reason=str(reason or ended.get("reason") or "Terminated"),
            message=str(ended.get("message") or waiting.get("message") or ""),
            exit_code=code,
            previous_log=not terminated,
            started=True,
        )
    elif waiting.get("reason") and waiting["reason"] not in NORMAL_WAITING:
        yield Cause(
            pod=pod,
            container=container,
            reason=str(waiting["reason"]),
            message=str(waiting.get("message") or ""),
        )
    elif state.get("running") and not entry.get("ready") and not is_init:
        yield Cause(pod=pod, container=container, reason="NotReady", started=True)
