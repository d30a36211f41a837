from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from airflow_provider_seldon.core.identity.annotations import ANNOTATION_ORDER, LABEL_MANAGED_BY, MANAGER
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.fence import OrderToken, overtaken_by

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
TUESDAY = MONDAY + timedelta(days=1)


def deployed_by(token: OrderToken | None, *, manager: str = MANAGER) -> SeldonDeployment:
    annotations = {ANNOTATION_ORDER: str(token)} if token else {}
    return SeldonDeployment.from_manifest(
        {
            "kind": "SeldonDeployment",
            "metadata": {"name": "iris", "labels": {LABEL_MANAGED_BY: manager}, "annotations": annotations},
        }
    )


def test_an_older_run_is_overtaken() -> None:
    newer = deployed_by(OrderToken.of(TUESDAY, "tuesday"))
    assert overtaken_by(OrderToken.of(MONDAY, "monday"), [newer]) is newer


def test_a_newer_run_is_not() -> None:
    assert overtaken_by(OrderToken.of(TUESDAY, "b"), [deployed_by(OrderToken.of(MONDAY, "a"))]) is None


def test_a_retry_of_the_same_run_is_not_overtaken_by_itself() -> None:
    token = OrderToken.of(MONDAY, "monday")
    assert overtaken_by(token, [deployed_by(token)]) is None


def test_two_runs_of_one_moment_are_ordered_by_their_id() -> None:
    assert overtaken_by(OrderToken.of(MONDAY, "a"), [deployed_by(OrderToken.of(MONDAY, "b"))]) is not None


def test_time_zones_do_not_matter() -> None:
    here = OrderToken.of(MONDAY.astimezone(timezone(timedelta(hours=9))), "run")
    assert here == OrderToken.of(MONDAY, "run")
    assert OrderToken.of(MONDAY.replace(tzinfo=None), "run") == here


def test_a_token_survives_its_annotation_whatever_the_run_id_holds() -> None:
    token = OrderToken.of(MONDAY, "manual__2026-01-05T00:00:00+00:00 again")
    assert OrderToken.parse(str(token)) == token


@pytest.mark.parametrize("text", [None, "", "yesterday run", "2026-01-05T00:00:00+00:00"])
def test_an_unreadable_place_fences_no_run(text: str | None) -> None:
    assert OrderToken.parse(text) is None


def test_another_owners_deployment_fences_no_run() -> None:
    foreign = deployed_by(OrderToken.of(TUESDAY, "x"), manager="someone")
    assert overtaken_by(OrderToken.of(MONDAY, "y"), [foreign, deployed_by(None)]) is None
