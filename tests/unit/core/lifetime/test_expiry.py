"""When a deployment expires: what deploys write, what others keep, and what cannot be read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import Lease
from airflow_provider_seldon.core.canary.steps import steps_of
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_EXPIRY,
    ANNOTATION_EXPIRY_RENEWED,
    ANNOTATION_WRITE,
)
from airflow_provider_seldon.core.lifetime.expiry import (
    Expiry,
    carried_expiry,
    expiring,
    expiry_of,
    renewal,
)
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment

HOUR = Expiry.after(3600, now=1_000_000.0)
DAY = Expiry.after(86400, now=1_000_000.0)


def deployment(**annotations: str) -> SeldonDeployment:
    named = {ANNOTATION_WRITE: "w1"} | annotations
    return SeldonDeployment.from_manifest({"metadata": {"name": "iris", "annotations": named}, "spec": {}})


def expiring_in(expiry: Expiry | None) -> SeldonDeployment:
    return expiring(deployment(), expiry)


def test_what_a_deploy_applies_is_read_back() -> None:
    stored = expiring_in(HOUR)
    assert expiry_of(stored) == HOUR
    assert str(HOUR) == "1970-01-12T14:46:40+00:00"
    assert (HOUR.is_over(1_003_600.0), HOUR.is_over(1_003_600.5)) == (False, True)
    assert expiry_of(deployment()) is None


def test_a_deploy_without_a_time_takes_it_away() -> None:
    assert ANNOTATION_EXPIRY not in expiring(expiring_in(HOUR), None).annotations


def test_a_renewal_counts_for_the_write_that_it_renews_and_for_no_other() -> None:
    stored = expiring_in(HOUR)
    renewed = stored.annotated(renewal(stored, DAY))
    assert expiry_of(renewed) == DAY
    written_again = renewed.annotated({ANNOTATION_WRITE: "w2"})
    assert expiry_of(written_again) == HOUR


def test_a_renewal_without_a_time_lets_the_deployment_stay() -> None:
    stored = expiring_in(HOUR)
    assert expiry_of(stored.annotated(renewal(stored, None))) is None
    assert renewal(deployment(), None) == {}


def test_a_write_that_leaves_the_time_as_it_is_writes_the_one_that_counts() -> None:
    stored = expiring_in(HOUR)
    renewed = stored.annotated(renewal(stored, DAY))
    assert carried_expiry(renewed) == {ANNOTATION_EXPIRY: DAY.to_json()}
    assert carried_expiry(deployment()) == {}


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{", "tomorrow", '{"until": 3}', '{"ttl": 3600, "until": "soon"}', "[" * 100_000),
        *(
            '{"ttl": true, "until": "2026-01-05T10:00:00+00:00"}',
            '{"ttl": 1, "until": "2026-01-05T10:00:00"}',
        ),
    ],
)
def test_what_cannot_be_read_expires_never(text: str) -> None:
    assert expiry_of(deployment(**{ANNOTATION_EXPIRY: text})) is None
    assert expiry_of(expiring_in(HOUR).annotated({ANNOTATION_EXPIRY_RENEWED: text})) == HOUR


def test_a_field_of_a_later_release_is_passed_over() -> None:
    data: dict[str, Any] = json.loads(HOUR.to_json()) | {"v": 2, "why": "preview"}
    assert expiry_of(deployment(**{ANNOTATION_EXPIRY: json.dumps(data)})) == HOUR


def test_a_lease_remembers_what_the_promoted_candidate_is_to_have() -> None:
    lease = Lease(run="r", candidate="c", baseline="b", steps=steps_of([5], bake=1), expires=1.0, ttl=60.0)
    assert Lease.parse(lease.to_json()) == lease
