"""
Survey all deployments of a namespace, repeatedly: the data of the fleet page.

Requests of one survey: a LIST of SeldonDeployments, one of their Deployments and, only while something is not
ready, one of pods; each in pages of 500. Nothing is written. Without permission to read Deployments or pods,
it shows what is known from the rest.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_seldon.core.children.expected import ID_LABEL, child_ids
from airflow_provider_seldon.core.fleet.reading import detail_of, view_of
from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import Badge, Condition, DeploymentView, DetailView
from airflow_provider_seldon.core.readiness.diagnosis import causes_of
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict, judge
from airflow_provider_seldon.core.readiness.pod_failure import newest_pods
from airflow_provider_seldon.core.readiness.stabilization import History
from airflow_provider_seldon.core.resource.unstructured import Object, name_of, text_at
from airflow_provider_seldon.exceptions import ForbiddenError
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.kube.requests.diagnose import diagnose

#: Seconds after which a condition seen by an earlier survey no longer counts as lasting.
MEMORY = 60.0
#: Deployments whose diagnosis a snapshot holds; the others have only the content of a list row.
MOST_DIAGNOSED = 20


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the last survey saw of a deployment."""

    manifest: Object
    version: tuple[str, ...]
    verdict: Verdict
    view: DeploymentView


class Survey:
    """
    Surveys one namespace; keeps the last survey, because conditions that must last are evaluated over
    several.

    :param client: client of the namespace.
    :param connection: id of the Airflow connection.
    :param redact: masks credentials in a text.
    :param log_lines: lines of a container's log that a diagnosis shows at most.
    """

    def __init__(
        self,
        client: SeldonClient,
        *,
        connection: str,
        redact: Callable[[str], str] = str,
        log_lines: int = 15,
    ) -> None:
        self._client = client
        self._connection = connection
        self._redact = redact
        self._log_lines = log_lines
        self._seen: Mapping[str, _Seen] = {}
        self._looked_at = 0.0

    def look(self) -> Sequence[DeploymentView]:
        """
        Survey once.

        :raises SeldonError: the API server is unreachable, or refuses.
        """
        deployments = self._client.objects()
        children = _by_id(self._or_none(lambda: self._client.children()))
        now = time.time()
        before = self._seen if now - self._looked_at < MEMORY else {}
        judged = [(one, *self._judged(one, children, before, now)) for one in deployments]
        pods = self._pods_for([verdict for _, _, verdict in judged])
        seen = {}
        for manifest, own, verdict in judged:
            uid = text_at(manifest, "metadata", "uid")
            version = _version(manifest, own)
            known = before.get(uid)
            # In an unchanged deployment, only what depends on the time can have changed.
            same = known is not None and known.verdict is verdict
            view = known.view if known and same and not (known.view.expires or known.view.canary) else None
            seen[uid] = _Seen(
                manifest=manifest,
                version=version,
                verdict=verdict,
                view=view or self._view(manifest, own, verdict, pods, now),
            )
        self._seen, self._looked_at = seen, now
        return [one.view for one in seen.values()]

    def detail(self, name: str) -> DetailView | None:
        """Return the page of a deployment as of the last survey; None if it saw none of that name."""
        found = next((one for one in self._seen.values() if name_of(one.manifest) == name), None)
        return None if found is None else detail_of(found.manifest, found.view)

    def diagnosis(self, name: str) -> str:
        """Read pods, events and logs, and return why a deployment is not ready; "" when nothing is wrong."""
        return diagnose(self._client, name, redact=self._redact, log_lines=self._log_lines)

    def snapshot(self) -> Snapshot:
        """Survey once, and return everything, with diagnoses of the deployments that are not ready."""
        views = self.look()
        broken = [
            one.name
            for one in views
            if Badge.DEGRADED in one.badges or one.condition == Condition.FAILED or one.cause
        ]
        diagnoses = {name: self.diagnosis(name) for name in broken[:MOST_DIAGNOSED]}
        return Snapshot(
            connection=self._connection,
            namespace=self._client.namespace,
            moment=self._looked_at,
            details=[
                detail_of(one.manifest, one.view, diagnosis=diagnoses.get(one.view.name, ""))
                for one in self._seen.values()
            ],
        )

    def _judged(
        self,
        manifest: Object,
        children: Mapping[str, Sequence[Object]] | None,
        before: Mapping[str, _Seen],
        now: float,
    ) -> tuple[Sequence[Object] | None, Verdict]:
        own = (
            None
            if children is None
            else [one for key in child_ids(manifest) for one in children.get(key, ())]
        )
        known = before.get(text_at(manifest, "metadata", "uid"))
        if known and known.version == _version(manifest, own) and known.verdict.phase is Phase.READY:
            return own, known.verdict
        history = known.verdict.history if known else History()
        return own, judge(manifest, own, expected=Expectation(), now=now, history=history)

    def _view(
        self,
        manifest: Object,
        own: Sequence[Object] | None,
        verdict: Verdict,
        pods: Mapping[str, Sequence[Object]] | None,
        now: float,
    ) -> DeploymentView:
        cause = ""
        if pods and verdict.phase is not Phase.READY:
            there = [pod for key in child_ids(manifest) for pod in pods.get(key, ())]
            newest = [pod for child in own or () for pod in newest_pods(child, there)] or there
            found = causes_of(newest)
            cause = self._redact(str(found[0])) if found else ""
            verdict = replace(
                judge(manifest, own, there, expected=Expectation(), now=now, history=verdict.history),
                history=verdict.history,
            )
        verdict = replace(verdict, message=self._redact(verdict.message))
        return view_of(manifest, own, verdict, connection=self._connection, now=now, cause=cause)

    def _pods_for(self, verdicts: Sequence[Verdict]) -> Mapping[str, Sequence[Object]] | None:
        if all(verdict.phase in (Phase.READY, Phase.DELETED) for verdict in verdicts):
            return None
        return _by_id(self._or_none(self._client.pods.of_all))

    @staticmethod
    def _or_none(read: Callable[[], Sequence[Object]]) -> Sequence[Object] | None:
        try:
            return read()
        except ForbiddenError:
            return None


def _by_id(objects: Sequence[Object] | None) -> Mapping[str, Sequence[Object]] | None:
    if objects is None:
        return None
    found: dict[str, list[Object]] = defaultdict(list)
    for one in objects:
        found[text_at(one, "metadata", "labels", ID_LABEL)].append(one)
    return found


def _version(manifest: Object, children: Sequence[Object] | None) -> tuple[str, ...]:
    return tuple(text_at(one, "metadata", "resourceVersion") for one in (manifest, *(children or ())))
