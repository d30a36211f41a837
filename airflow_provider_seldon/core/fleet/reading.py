"""
Convert Kubernetes objects and a verdict into the views of the fleet page.

Objects are read in place, not through models: each look reads a thousand deployments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease
from airflow_provider_seldon.core.children.parts import parts_of
from airflow_provider_seldon.core.credentials.model_uri import AZURE
from airflow_provider_seldon.core.fleet.view import (
    Badge,
    CanaryView,
    Condition,
    DeploymentView,
    DetailView,
    NodeView,
    PredictorView,
    VersionView,
)
from airflow_provider_seldon.core.identity import annotations as keys
from airflow_provider_seldon.core.identity.identity import map_index_in
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.lifetime.expiry import expiry_in
from airflow_provider_seldon.core.readiness.judge import Phase, Verdict
from airflow_provider_seldon.core.reaping.decision import noticed_at
from airflow_provider_seldon.core.request.model_metrics import RecordedMetrics
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.resource.unstructured import (
    Object,
    items_at,
    mapping_at,
    name_of,
    number_at,
    text_at,
    utc_at,
)
from airflow_provider_seldon.core.rollout.history import (
    ProvenVersion,
    json_object,
    proven_versions,
    version_to_restore,
)
from airflow_provider_seldon.core.scaling.sleeping import is_scaled_to_zero

#: Maximum length of a sentence in a row of the list, in characters; the deployment's page shows the whole
#: diagnosis.
LONGEST = 300
_CONDITIONS = {
    Phase.READY: Condition.SERVING,
    Phase.FAILED: Condition.FAILED,
    Phase.DELETED: Condition.DELETING,
}
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_RCLONE_OPTIONS = re.compile(r"(:?[^,:/]+),.*:", re.DOTALL)
_PASSWORD = re.compile(r"[^/]*:[^/]*@")


def view_of(
    deployment: Object,
    children: Sequence[Object] | None,
    verdict: Verdict,
    *,
    connection: str,
    now: float,
    cause: str = "",
) -> DeploymentView:
    """
    Return the view of a deployment for the list.

    :param children: its Kubernetes Deployments; None if they cannot be read.
    :param verdict: of ``judge``.
    :param connection: Airflow connection through which it was read.
    :param now: epoch seconds.
    :param cause: what is wrong with its pods.
    """
    present = {
        key: value
        for key, value in mapping_at(deployment, "metadata", "annotations").items()
        if isinstance(value, str)
    }
    revision = present.get(keys.ANNOTATION_REVISION, "")
    last = ProvenVersion.from_json(present.get(keys.ANNOTATION_LAST_AVAILABLE))
    managed = text_at(deployment, "metadata", "labels", keys.LABEL_MANAGED_BY) == keys.MANAGER
    root = next((mapping_at(one, "graph") for one in items_at(deployment, "spec", "predictors")), {})
    predictors = _predictors(deployment, children)
    lease = Lease.parse(present.get(ANNOTATION_CANARY))
    expiry = expiry_in(present)
    asleep = verdict.reason == "ScaledToZero" or (
        verdict.phase is Phase.READY and is_scaled_to_zero(deployment)
    )
    condition = Condition.ASLEEP if asleep else _CONDITIONS.get(verdict.phase, Condition.PROGRESSING)
    proven = bool(revision) and last.revision == revision
    marks = {
        Badge.FOREIGN: not managed,
        Badge.DEGRADED: proven and condition in (Condition.FAILED, Condition.PROGRESSING),
        Badge.SCALED_TO_ZERO: asleep,
        Badge.EXPIRED: expiry is not None and expiry.is_over(now),
        Badge.UNLED: lease is not None and lease.expired(now),
    }
    return DeploymentView(
        connection=connection,
        namespace=text_at(deployment, "metadata", "namespace"),
        name=name_of(deployment),
        model_name=present.get(keys.ANNOTATION_MODEL_NAME, ""),
        model_uri=shown_uri(text_at(root, "modelUri")),
        implementation=text_at(root, "implementation") or text_at(root, "type"),
        protocol=text_at(deployment, "spec", "protocol") or "seldon",
        revision=revision,
        proven=proven,
        proven_at=last.proven_at if proven else "",
        condition=condition,
        reason=verdict.reason,
        message=verdict.message[:LONGEST],
        cause=cause[:LONGEST],
        weaker=verdict.weaker[:LONGEST],
        state=text_at(deployment, "status", "state"),
        wanted=sum(one.wanted for one in predictors),
        available=sum(one.available for one in predictors),
        predictors=predictors,
        canary=_canary(lease) if lease else None,
        dag_id=present.get(keys.ANNOTATION_DAG_ID, ""),
        task_id=present.get(keys.ANNOTATION_TASK_ID, ""),
        run_id=present.get(keys.ANNOTATION_RUN_ID, ""),
        map_index=map_index_in(present),
        action=present.get(keys.ANNOTATION_ACTION, ""),
        rolled_back_from=str(json_object(present.get(keys.ANNOTATION_ROLLED_BACK)).get("from", "")),
        metrics=RecordedMetrics.from_json(present.get(keys.ANNOTATION_METRICS)).values,
        expires=str(expiry or ""),
        created=text_at(deployment, "metadata", "creationTimestamp"),
        badges=tuple(str(badge) for badge, holds in marks.items() if holds),
        uid=text_at(deployment, "metadata", "uid"),
        noticed=_noticed(deployment, present),
        unreadable_lease=lease is None and ANNOTATION_CANARY in present,
    )


def detail_of(deployment: Object, view: DeploymentView, *, diagnosis: str = "") -> DetailView:
    """Return the view of a deployment for its own page."""
    model = SeldonDeployment.from_manifest(deployment)
    try:
        version = version_to_restore(model, "previous")
        # A rollback refuses a version without its configuration.
        back = version.revision if version.config else ""
    except InvalidRequestError:
        back = ""
    return DetailView(
        deployment=view,
        versions=tuple(_version(one, view.revision) for one in proven_versions(model)),
        nodes=tuple(_nodes(deployment)),
        roll_back_to=back if str(Badge.FOREIGN) not in view.badges else "",
        diagnosis=diagnosis,
    )


def shown_uri(uri: str) -> str:
    """
    Return a model URI without login, password, query and fragment, which may hold signatures.

    Another client may have written anything: also a remote of rclone with its options
    (``:s3,secret_access_key=...:bucket``), of which only the name is shown.
    """
    uri = uri.strip()
    if options := _RCLONE_OPTIONS.match(uri):
        return f"{options[1]}:..."
    if not _SCHEME.match(uri):
        return _PASSWORD.sub("", re.split(r"[?#]", uri)[0])
    try:
        parts = urlsplit(uri)
        login, at, host = parts.netloc.rpartition("@")
        # An Azure container, see ``credentials.model_uri``; its name has no colon.
        container = at and ":" not in login and parts.scheme.lower() in AZURE
        return urlunsplit((parts.scheme, parts.netloc if container else host, parts.path, "", ""))
    except ValueError:
        return ""


def _noticed(deployment: Object, present: Mapping[str, str]) -> str:
    if keys.ANNOTATION_EXPIRY_NOTICED not in present:
        return ""
    at = utc_at(noticed_at(SeldonDeployment.from_manifest(deployment)))
    return at.isoformat() if at is not None else ""


def _predictors(deployment: Object, children: Sequence[Object] | None) -> tuple[PredictorView, ...]:
    given = items_at(deployment, "spec", "predictors")
    answering = [one for one in given if one.get("shadow") is not True]
    parts = list(parts_of(deployment, children))
    found = []
    for one in given:
        name = text_at(one, "name")
        own = [part for part in parts if part.predictor == name]
        alone = len(answering) == 1 and one is answering[0]
        found.append(
            PredictorView(
                name=name,
                traffic=100 if alone else number_at(one, "traffic") or 0,
                shadow=one.get("shadow") is True,
                wanted=sum(part.wanted for part in own),
                available=sum(part.available for part in own),
            )
        )
    return tuple(found)


def _canary(lease: Lease) -> CanaryView:
    metrics = lease.verdict.get("metrics")
    return CanaryView(
        step=lease.step + 1,
        steps=tuple(str(one) for one in lease.steps),
        stage=str(lease.stage),
        run=lease.run,
        candidate=lease.candidate,
        baseline=lease.baseline,
        since=lease.since or 0.0,
        expires=lease.expires,
        verdict=str(lease.verdict.get("grade", "")),
        numbers=tuple(
            _measured(one)
            for one in (metrics if isinstance(metrics, list) else ())
            if isinstance(one, Mapping)
        ),
    )


def _measured(metric: Mapping[str, Any]) -> str:
    values = [f"{key} {metric[key]}" for key in ("candidate", "baseline", "requests") if key in metric]
    return f"{metric.get('metric', '')}: {', '.join([*values, str(metric.get('grade', ''))])}"[:LONGEST]


def _version(version: ProvenVersion, present: str) -> VersionView:
    metrics = RecordedMetrics.from_json(version.metrics)
    return VersionView(
        revision=version.revision,
        proven_at=version.proven_at,
        at=version.proven_at or (metrics.at.isoformat() if metrics.at else version.order.partition(" ")[0]),
        dag_id=version.dag_id,
        task_id=version.task_id,
        run_id=version.run_id,
        metrics=metrics.values,
        model_uri=shown_uri(text_at(version.config, "model_uri")),
        withdrawn=version.withdrawn,
        adopted=version.adopted,
        present=version.revision == present,
    )


def _nodes(deployment: Object) -> Iterator[NodeView]:
    for predictor in items_at(deployment, "spec", "predictors"):
        yield from _below(mapping_at(predictor, "graph"), text_at(predictor, "name"), 0)


def _below(unit: Object, predictor: str, depth: int) -> Iterator[NodeView]:
    if not unit:
        return
    yield NodeView(
        name=text_at(unit, "name"),
        type=text_at(unit, "type"),
        implementation=text_at(unit, "implementation"),
        model_uri=shown_uri(text_at(unit, "modelUri")),
        depth=depth,
        predictor=predictor,
    )
    for child in items_at(unit, "children"):
        yield from _below(child, predictor, depth + 1)
