"""What the fleet page shows of an object: badges, versions, traffic, and no credential."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.fleet.reading import detail_of, shown_uri, view_of
from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import DeploymentView, DetailView
from airflow_provider_seldon.core.identity import annotations as keys
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import judge
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from tests.unit.core.cluster_objects import SPEC, complete_children, sdep

NOW = 1_800_000_000.0
MANAGED = {keys.LABEL_MANAGED_BY: keys.MANAGER}


def seen(
    given: dict[str, Any], children: list[dict[str, Any]] | None = None, *, now: float = NOW
) -> DeploymentView:
    own = complete_children(given) if children is None else children
    verdict = judge(given, own, expected=Expectation(), now=now)
    return view_of(given, own, verdict, connection="c", now=now)


def annotated(**annotations: str) -> dict[str, Any]:
    return sdep(labels=MANAGED, annotations={f"{keys.PREFIX}{key}": one for key, one in annotations.items()})


def proof(revision: str, **more: Any) -> str:
    return ProvenVersion(revision=revision, **more).to_json()


def test_what_somebody_else_made_is_foreign_and_has_no_version() -> None:
    view = seen(sdep(foreign=True))
    assert (view.badges, view.revision, view.proven) == (("foreign",), "", False)


def test_a_revision_is_proven_if_it_is_the_one_that_was_last_seen_serving() -> None:
    proven = seen(
        annotated(**{"revision": "a", "last-available": proof("a", proven_at="2026-01-02T03:04:05+00:00")})
    )
    assert (proven.proven, proven.proven_at) == (True, "2026-01-02T03:04:05+00:00")
    other = seen(
        annotated(**{"revision": "b", "last-available": proof("a", proven_at="2026-01-02T03:04:05+00:00")})
    )
    assert (other.proven, other.proven_at) == (False, "")


def test_what_was_proven_and_lacks_pods_is_degraded() -> None:
    given = annotated(**{"revision": "a", "last-available": proof("a")})
    children = complete_children(given)
    children[0]["status"] |= {"availableReplicas": 0, "readyReplicas": 0}
    view = seen(given, children)
    assert (view.condition, view.available, view.wanted, view.badges) == ("progressing", 0, 1, ("degraded",))


def test_what_is_scaled_to_zero_is_asleep() -> None:
    given = sdep({**SPEC, "replicas": 0}, labels=MANAGED)
    view = seen(given)
    assert (view.condition, view.badges, view.wanted) == ("asleep", ("scaled to zero",), 0)


@pytest.mark.parametrize(
    ("until", "badges"), [("2020-01-01T00:00:00+00:00", ("expired",)), ("2060-01-01T00:00:00+00:00", ())]
)
def test_a_deployment_whose_time_is_over_says_so(until: str, badges: tuple[str, ...]) -> None:
    view = seen(annotated(expiry=json.dumps({"v": 1, "ttl": 60, "until": until})))
    assert (view.expires, view.badges) == (until, badges)


def test_a_canary_shows_its_step_and_who_leads_it_no_more() -> None:
    lease = Lease(
        run="run-1",
        candidate="b",
        baseline="a",
        steps=(Step(weight=10, bake=1), Step(weight=50, bake=1)),
        step=1,
        expires=NOW,
    )
    given = annotated()
    given["metadata"]["annotations"][ANNOTATION_CANARY] = lease.to_json()
    view = seen(given)
    assert view.canary is not None
    assert (view.canary.step, view.canary.steps, view.canary.run) == (2, ("10 %", "50 %"), "run-1")
    assert view.badges == ()
    assert seen(given, now=NOW + 1).badges == ("canary without a run",)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("s3://bucket/iris", "s3://bucket/iris"),
        ("https://me:secret@host/iris", "https://host/iris"),
        ("https://host/iris?X-Amz-Signature=secret#more", "https://host/iris"),
        (
            "wasbs://container@account.blob.core.windows.net/iris",
            "wasbs://container@account.blob.core.windows.net/iris",
        ),
        ("pvc://claim/iris", "pvc://claim/iris"),
        ("http://[broken", ""),
    ],
)
def test_no_login_and_no_signature_of_a_model_uri_is_shown(uri: str, shown: str) -> None:
    assert shown_uri(uri) == shown


def test_a_snapshot_is_read_back_as_it_was_written_and_holds_no_spec() -> None:
    given = annotated(
        **{
            "revision": "b",
            "last-available": proof("a", metrics=json.dumps({"at": None, "values": {"x": 0.0}})),
        }
    )
    given["spec"]["predictors"][0]["componentSpecs"][0]["spec"]["containers"][0]["env"] = [
        {"name": "TOKEN", "value": "hidden"}
    ]
    given["metadata"]["annotations"][keys.ANNOTATION_MAP_INDEX] = "0"
    detail = detail_of(given, seen(given))
    assert detail.deployment.map_index == 0
    before = Snapshot(connection="c", namespace="ns", moment=NOW, details=[detail])
    after = Snapshot.unpack(before.pack())
    assert (after.connection, after.namespace, after.moment, list(after.details)) == (
        "c",
        "ns",
        NOW,
        [detail],
    )
    assert "hidden" not in json.dumps(detail.to_json())
    later = {**detail.to_json(), "of a later release": 1}
    assert DetailView.from_json(later) == detail


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"deployments": "x", "moment": 1}', "\0"])
def test_what_is_no_snapshot_is_refused_as_such(text: str) -> None:
    with pytest.raises(ValueError, match=r"snapshot|Expecting"):
        Snapshot.unpack(text)
