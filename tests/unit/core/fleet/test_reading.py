"""What the fleet page shows of an object: badges, versions, traffic, and no credential."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import ANNOTATION_CANARY, Lease
from airflow_provider_seldon.core.canary.steps import Step
from airflow_provider_seldon.core.fleet.reading import detail_of, shown_uri, view_of
from airflow_provider_seldon.core.fleet.snapshot import Snapshot
from airflow_provider_seldon.core.fleet.view import DeploymentView, DetailView
from airflow_provider_seldon.core.identity import annotations as keys
from airflow_provider_seldon.core.identity.identity import Identity
from airflow_provider_seldon.core.readiness.expectation import Expectation
from airflow_provider_seldon.core.readiness.judge import judge
from airflow_provider_seldon.core.reaping.decision import decision_for
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.core.rollout.history import ProvenVersion
from airflow_provider_seldon.fleet.pages import when
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


def test_a_deployment_of_another_owner_is_foreign_and_has_no_version() -> None:
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


def test_no_rollback_is_offered_to_a_version_that_was_recorded_without_its_configuration() -> None:
    history = {"versions": [ProvenVersion(revision="a", config={}).to_data()]}
    annotations = {"revision": "b", "last-available": proof("b"), "history": json.dumps(history)}
    bare = annotated(**annotations)
    assert detail_of(bare, seen(bare)).roll_back_to == ""
    history["versions"][0]["config"] = {"model_name": "iris"}
    whole = annotated(**annotations | {"history": json.dumps(history)})
    assert detail_of(whole, seen(whole)).roll_back_to == "a"


def test_what_was_proven_and_lacks_pods_is_degraded() -> None:
    given = annotated(**{"revision": "a", "last-available": proof("a")})
    children = complete_children(given)
    children[0]["status"] |= {"availableReplicas": 0, "readyReplicas": 0}
    view = seen(given, children)
    assert (view.condition, view.available, view.wanted, view.badges) == ("progressing", 0, 1, ("degraded",))
    assert view.to_json()["condition"] == "progressing", "only empty fields are left out"


def test_what_is_scaled_to_zero_is_asleep() -> None:
    given = sdep({**SPEC, "replicas": 0}, labels=MANAGED)
    view = seen(given)
    assert (view.condition, view.badges, view.wanted) == ("asleep", ("scaled to zero",), 0)


@pytest.mark.parametrize(
    ("until", "badges"), [("2020-01-01T00:00:00+00:00", ("expired",)), ("2060-01-01T00:00:00+00:00", ())]
)
def test_an_expired_deployment_is_shown_as_expired(until: str, badges: tuple[str, ...]) -> None:
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
        ("https://token@host/iris", "https://host/iris"),
        ("S3://token@bucket/iris", "s3://bucket/iris"),
        (" https://me:secret@host/iris", "https://host/iris"),
        ("https:/me:secret@host/iris", "https:/host/iris"),
        ("me:secret@host/iris?sig=1#more", "host/iris"),
        (":s3,access_key_id=me,secret_access_key=secret:bucket/iris", ":s3:..."),
        ("remote,token='a:b/c':bucket/iris", "remote:..."),
        ("remote:bucket/iris@v2", "remote:bucket/iris@v2"),
        ("models/iris@v2", "models/iris@v2"),
        ("models,2026/iris", "models,2026/iris"),
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


@pytest.mark.parametrize(
    "field",
    [
        *({"name": 1}, {"metrics": {"a": "high"}}, {"metrics": {"a": float("nan")}}, {"badges": "foreign"}),
        *({"predictors": [1]}, {"canary": []}, {"available": True}, {"available": "1"}),
    ],
)
def test_a_snapshot_with_a_value_of_another_type_is_refused_as_a_whole(field: dict[str, Any]) -> None:
    detail = DetailView(deployment=DeploymentView(name="a"))
    data = detail.to_json() | {"deployment": detail.deployment.to_json() | field}
    text = base64.b64encode(zlib.compress(json.dumps([data]).encode())).decode()
    with pytest.raises(ValueError, match="not a snapshot"):
        Snapshot.unpack(json.dumps({"moment": 1, "deployments": text}))
    with pytest.raises(ValueError, match="not a snapshot"):
        Snapshot.unpack(json.dumps({**json.loads(Snapshot(connection="c").pack()), "moment": float("nan")}))


LEASE = '{"steps": [{"weight": 10, "bake": 1}], "step": 0, "expires": %s}'
FIRST_DAY = "0001-01-01T00:00:00+14:00"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        *((key, "[" * 5000) for key in ("metrics", "last-available", "history", "canary", "expiry")),
        *(("rolled-back", "[" * 5000), ("expiry-noticed", "[" * 5000), ("map-index", "9" * 5000)),
        *(
            ("metrics", '{"values": {"a": NaN, "b": Infinity}}'),
            ("metrics", f'{{"values": {{"a": {10**400}}}}}'),
        ),
        ("expiry", f'{{"ttl": 1, "until": "{FIRST_DAY}"}}'),
        *(("canary", LEASE % 10**400), ("canary", LEASE % 1e18), ("canary", LEASE % -1e300)),
        ("history", f'{{"versions": [{{"revision": "r", "proven_at": "{FIRST_DAY}"}}]}}'),
    ],
)
def test_what_somebody_wrote_into_an_annotation_hides_no_deployment_and_stops_no_reaper(
    key: str, text: str
) -> None:
    given = annotated(**{"revision": "a", "last-available": proof("a"), key: text})
    detail = detail_of(given, seen(given))
    assert detail.deployment.condition == "serving"
    json.dumps(detail.to_json(), allow_nan=False)
    assert when(detail.deployment.canary.expires if detail.deployment.canary else FIRST_DAY)
    decision_for(SeldonDeployment.from_manifest(given), now=NOW)
    assert Identity.of(SeldonDeployment.from_manifest(given)).map_index == -1
