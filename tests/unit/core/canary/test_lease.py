"""The lease: written by one process, read by another, perhaps of another release, perhaps of somebody with kubectl."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.analysis.counters import Counters
from airflow_provider_seldon.core.analysis.samples import Histogram, Requests, Sample
from airflow_provider_seldon.core.canary.lease import Lease, Stage
from airflow_provider_seldon.core.canary.steps import linear, steps_of

LEASE = Lease(
    run="scheduled__2026-01-05",
    order="2026-01-05T00:00:00+00:00 scheduled__2026-01-05",
    candidate="c1",
    baseline="b1",
    steps=steps_of([5, 25], bake=60),
    since=1000.0,
    expires=1600.0,
    counters={"ErrorRatio": Counters(failed=1)},
    samples={
        "ErrorRatio": (Sample(candidate=Requests(total=700, errors=3)),),
        "Latency p95": (Sample(candidate=Histogram(bounds=(0.1, math.inf), counts=(5.0, 1.0))),),
    },
    verdict={"grade": "pass"},
)


def test_a_lease_travels_as_the_same_text() -> None:
    again = Lease.parse(LEASE.to_json())
    assert again == LEASE
    assert again is not None
    assert again.to_json() == LEASE.to_json()


def test_a_lease_of_as_many_steps_as_there_can_be_leaves_room_for_other_annotations() -> None:
    """Kubernetes takes 256 KiB on one object; ``increase`` of Prometheus yields fractions."""
    third = Histogram(bounds=(*(0.005 * 2**i for i in range(14)), math.inf), counts=(1000 / 3,) * 15)
    one = Sample(candidate=third, baseline=third)
    steps = steps_of(linear(1))
    lease = dataclasses.replace(LEASE, steps=steps, step=98, samples={"p95": [one] * 99, "p99": [one] * 99})
    assert len(lease.to_json()) < 128 * 1024


def test_a_field_of_a_later_release_is_passed_over() -> None:
    data = json.loads(LEASE.to_json()) | {"v": 2, "approvers": ["ada"]}
    assert Lease.parse(json.dumps(data)) == LEASE


def test_a_step_that_bakes_continues_unchanged_after_a_restart() -> None:
    assert LEASE.baking(since=5000.0, expires=9000.0) is LEASE


def test_counters_begin_anew_with_each_step_and_samples_stay() -> None:
    after = LEASE.next_step(expires=3000.0, verdict={})
    assert (after.step, after.since, after.counters, after.samples) == (1, None, {}, LEASE.samples)
    assert after.current.weight == 25


def test_renewing_never_shortens_a_lease() -> None:
    assert LEASE.renewed(expires=1.0).expires == 1600.0
    held = LEASE.renewed(expires=9000.0, stage=Stage.HOLDING)
    assert (held.expires, held.stage, held.expired(9001.0), held.expired(8999.0)) == (
        9000.0,
        "holding",
        True,
        False,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"steps": []},
        {"steps": [{"weight": "5", "bake": 1}]},
        {"step": 2},
        {"step": -1},
        {"step": True},
        {"expires": None},
        {"expires": "soon"},
        {"since": "now"},
        {"run": 5},
        {"stage": "resting"},
        {"expires": 10**400},
        {"since": 10**400},
        {"ttl": 10**400},
        {"steps": [{"weight": 5, "bake": 10**400}], "step": 0},
        {"steps": [{"weight": 5, "bake": math.nan}], "step": 0},
    ],
)
def test_what_cannot_be_understood_is_no_lease(change: dict[str, Any]) -> None:
    assert Lease.parse(json.dumps(json.loads(LEASE.to_json()) | change)) is None


def test_a_sample_that_is_no_number_is_no_data_and_the_lease_stays_readable() -> None:
    """A reaper must still know when it expires."""
    samples = {"a": [{"candidate": 10**400}], "b": [{"candidate": {"total": 10**400, "errors": "1"}}]}
    found = Lease.parse(json.dumps(json.loads(LEASE.to_json()) | {"samples": samples}))
    assert found is not None
    assert found.expires == LEASE.expires


@given(
    st.text() | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(json.dumps)
)
def test_any_text_is_a_lease_or_none(text: str) -> None:
    assert Lease.parse(text) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(json.loads(LEASE.to_json()))), json_values)
def test_a_lease_with_anything_in_one_field_is_a_lease_or_none(name: str, value: Any) -> None:
    found = Lease.parse(json.dumps(json.loads(LEASE.to_json()) | {name: value}))
    if found is not None:
        assert Lease.parse(found.to_json()) is not None
