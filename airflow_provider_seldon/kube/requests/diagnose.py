"""
Read why a rollout does not complete: pods, warning events, the last lines of a log.

It never raises: an unreadable diagnosis must not hide the failure itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from airflow_provider_seldon.core.readiness.diagnosis import (
    Cause,
    causes_of,
    events_about,
    hint,
    telling_lines,
)
from airflow_provider_seldon.core.readiness.pod_failure import newest_pods
from airflow_provider_seldon.core.resource.unstructured import Object, text_at
from airflow_provider_seldon.exceptions import DeploymentNotFoundError, ForbiddenError, SeldonError
from airflow_provider_seldon.kube.requests.client import SeldonClient

#: Lines of a container's log that are read.
LOG_READ = 300
#: Maximum of causes and events that are shown.
MOST_CAUSES = 3
MOST_EVENTS = 5


def diagnose(
    client: SeldonClient, name: str, *, redact: Callable[[str], str] = str, log_lines: int = 15
) -> str:
    """
    Return, in a few lines, why deployment ``name`` does not become ready; "" when nothing is wrong with it.

    :param client: client of the deployment's namespace.
    :param redact: masks credentials in a text; logs may hold some.
    :param log_lines: maximum of lines that are shown of each container's log; with 0 no log is read.
    """
    try:
        return redact("\n".join(_lines(client, name, log_lines)))
    except SeldonError as error:
        return redact(f"(pods, events and logs could not be read: {error})")


def _lines(client: SeldonClient, name: str, log_lines: int) -> Iterator[str]:
    pods = _pods(client, name)
    found = causes_of(pods)[:MOST_CAUSES]
    logs = {cause: _log(client, cause, log_lines) for cause in found if cause.started and log_lines}
    events = _events(client, name, pods)
    # The newest pod matters most, and current failures of pods more than earlier events.
    causes = [*([str(cause), *logs.get(cause, ())] for cause in found), events]
    if advice := next(filter(None, (hint(*texts) for texts in causes)), ""):
        yield f"Hint: {advice}."
    for cause in found:
        yield f"- {cause}"
        yield from (f"    | {line}" for line in logs.get(cause, ()))
    yield from (f"- event: {event}" for event in events)


def _pods(client: SeldonClient, name: str) -> list[Object]:
    """Return the pods of the newest rollout; lingering earlier pods may have other failures."""
    pods: list[Object] = [*client.pods.of_deployment(name)]
    try:
        children = client.children(name)
    except ForbiddenError:
        return pods
    return [pod for child in children for pod in newest_pods(child, pods)] or pods


def _log(client: SeldonClient, cause: Cause, log_lines: int) -> list[str]:
    try:
        lines = client.pods.logs(
            cause.pod, container=cause.container, tail=LOG_READ, previous=cause.previous_log
        )
        return telling_lines(list(lines), log_lines)
    except SeldonError as error:
        return [f"(no log: {error})"]


def _events(client: SeldonClient, name: str, pods: Sequence[Object]) -> list[str]:
    """Return the latest warnings about the deployment, its children and its pods, each once."""
    concerned = events_about(
        name,
        client.pods.events(warnings_only=True),
        pods=[str(pod["metadata"]["uid"]) for pod in pods],
        since=_created(client, name),
    )
    texts = [f"{event.get('reason')}: {event.get('message')}" for event in reversed(concerned)]
    return list(dict.fromkeys(texts))[:MOST_EVENTS]


def _created(client: SeldonClient, name: str) -> str:
    try:
        return text_at(client.get(name).to_manifest(), "metadata", "creationTimestamp")
    except DeploymentNotFoundError:
        return ""
