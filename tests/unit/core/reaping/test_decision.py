"""What a reaper is to do with a deployment, from what was read of it alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease, Stage
from airflow_provider_seldon.core.canary.steps import steps_of
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_EXPIRY_NOTICED,
    ANNOTATION_WRITE,
    LABEL_MANAGED_BY,
    MANAGER,
)
from airflow_provider_seldon.core.lifetime.expiry import Expiry, expiring, renewal
from airflow_provider_seldon.core.reaping.decision import Verdict, decision_for, notice, noticed_at
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

NOW = 1_800_000_000.0
OVER = Expiry.after(60, now=NOW - 3600)
LATER = Expiry.after(60, now=NOW)
GONE = Whereabouts(origin=Origin.GONE, reason="its DAG has no task deploy any more")
LEASE = Lease(run="r1", candidate="c", baseline="b", steps=steps_of([5, 25], bake=1), expires=NOW + 60)


def deployment(expiry: Expiry | None = None, **metadata: Any) -> SeldonDeployment:
    manifest = {
        "metadata": {
            "name": "iris",
            "uid": "u1",
            "labels": {LABEL_MANAGED_BY: MANAGER},
            "annotations": {ANNOTATION_WRITE: "w1"},
            **metadata,
        },
        "spec": {"predictors": [{"name": "default", "replicas": 1, "graph": {"name": "classifier"}}]},
    }
    return expiring(SeldonDeployment.from_manifest(manifest), expiry)


def verdict(one: SeldonDeployment, *, now: float = NOW, **how: Any) -> Verdict:
    return decision_for(one, now=now, grace=600, **how).verdict


def noticed(one: SeldonDeployment, *, at: float = NOW) -> SeldonDeployment:
    return one.annotated(notice(one, now=at))


def led(**changes: Any) -> SeldonDeployment:
    lease = dataclasses.replace(LEASE, **changes)
    return deployment(OVER).annotated({ANNOTATION_CANARY: lease.to_json()})


def edited(one: SeldonDeployment, **predictor: Any) -> SeldonDeployment:
    manifest = one.to_manifest()
    manifest["spec"]["predictors"][0] |= predictor
    return SeldonDeployment.from_manifest(manifest)


def test_what_has_no_time_or_time_left_stays() -> None:
    assert verdict(deployment()) is verdict(deployment(LATER)) is Verdict.STAYS


def test_what_is_over_is_noticed_first_and_deleted_when_the_grace_has_passed() -> None:
    assert verdict(deployment(OVER)) is Verdict.NOTICE
    marked = noticed(deployment(OVER))
    assert noticed_at(marked) == NOW
    assert verdict(marked, now=NOW + 599) is Verdict.LEFT
    assert verdict(marked, now=NOW + 600) is Verdict.DELETE


def test_whatever_is_done_to_it_meanwhile_makes_the_note_void() -> None:
    marked = noticed(deployment(OVER), at=NOW - 7200)
    assert verdict(marked) is Verdict.DELETE
    assert verdict(marked.annotated({ANNOTATION_WRITE: "w2"})) is Verdict.NOTICE
    assert verdict(edited(marked, graph={"name": "other"})) is Verdict.NOTICE
    assert verdict(marked.annotated(renewal(marked, OVER))) is Verdict.DELETE
    # What an autoscaler does is nobody's interest.
    assert verdict(edited(marked, replicas=3)) is Verdict.DELETE
    # Renewed: it lives on, and the note is cleared.
    assert verdict(marked.annotated(renewal(marked, LATER))) is Verdict.CLEAR
    # Another object of the same name, with the old one's annotations.
    reborn = deployment(OVER, uid="u2", annotations={**marked.annotations})
    assert verdict(reborn) is Verdict.NOTICE


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"at": "soon"}', '{"v": 1, "at": "2020-01-01T00:00:00+00:00"}']
)
def test_a_note_that_cannot_be_read_is_none(text: str) -> None:
    assert verdict(deployment(OVER).annotated({ANNOTATION_EXPIRY_NOTICED: text})) is Verdict.NOTICE


def test_a_canary_with_a_leader_is_not_changed_whatever_the_time() -> None:
    assert verdict(led()) is Verdict.LEFT
    assert verdict(led(), whereabouts=GONE, delete_orphans=True) is Verdict.LEFT


@pytest.mark.parametrize("stage", list(Stage))
def test_a_canary_without_a_leader_is_aborted_at_every_stage(stage: Stage) -> None:
    assert verdict(led(stage=stage), now=NOW + 60) is Verdict.LEFT
    found = decision_for(led(stage=stage), now=NOW + 61)
    assert found.verdict is Verdict.ABORT
    assert str(stage) in found.reason
    assert "r1" in found.reason


def test_a_lease_of_whatever_text_is_not_changed() -> None:
    strange = deployment(OVER).annotated({ANNOTATION_CANARY: "{"})
    assert verdict(strange, now=NOW + 10**9) is Verdict.LEFT
    assert decision_for(led(expires=1e300), now=NOW).verdict is Verdict.LEFT


def test_an_orphan_is_deleted_only_where_that_is_wanted_and_known() -> None:
    orphan = deployment()
    assert verdict(orphan, whereabouts=GONE) is Verdict.STAYS
    assert verdict(orphan, whereabouts=GONE, delete_orphans=True) is Verdict.NOTICE
    marked = noticed(orphan)
    assert verdict(marked, now=NOW + 601, whereabouts=GONE, delete_orphans=True) is Verdict.DELETE
    for origin in (Origin.PRESENT, Origin.UNKNOWN, Origin.UNHEARD_OF):
        where = Whereabouts(origin=origin)
        assert verdict(orphan, whereabouts=where, delete_orphans=True) is Verdict.STAYS
        assert verdict(marked, whereabouts=where, delete_orphans=True) is Verdict.CLEAR


def test_deployments_of_others_and_those_being_deleted_are_not_changed() -> None:
    assert verdict(deployment(OVER, labels={})) is Verdict.LEFT
    assert verdict(deployment(OVER, deletionTimestamp="2026-01-05T10:00:00Z")) is Verdict.LEFT
