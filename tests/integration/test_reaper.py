"""The reaper: previews go in two steps, canaries without a leader are aborted, and nothing else is touched."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_seldon.core.canary.lease import Lease, Stage
from airflow_provider_seldon.core.identity.annotations import (
    ANNOTATION_EXPIRY_NOTICED,
    ANNOTATION_EXPIRY_RENEWED,
    ANNOTATION_WRITE,
)
from airflow_provider_seldon.core.reaping.origin import Origin, Whereabouts
from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.delivery.canary import abort as aborting
from airflow_provider_seldon.delivery.canary.conduct import Conductor
from airflow_provider_seldon.delivery.reaping.reaper import Reaper, Terms
from airflow_provider_seldon.delivery.reaping.report import Report
from airflow_provider_seldon.exceptions import ReapingError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.local.faults import Fault
from airflow_provider_seldon.operators.canary import SeldonPromoteCanaryOperator
from airflow_provider_seldon.operators.reaper import SeldonReaperOperator
from tests.clusters import patience
from tests.integration import task_process
from tests.integration.conftest import context
from tests.integration.test_canary import (  # noqa: F401
    CANDIDATE,
    SERVED,
    TUESDAY,
    assert_serves,
    operator,
    predictors,
    run,
    served,
)
from tests.integration.test_dry_run import FOREIGN
from tests.integration.test_storage_secrets import wait_until

pytestmark = pytest.mark.simulated_pods("many deployments")
OVER = "2026-01-05T10:00:00+00:00"


def previews(*names: str) -> None:
    for name in names:
        preview(name)


def preview(name: str, **arguments: Any) -> None:
    server = {"name": name, "model_name": name, "implementation": "SKLEARN_SERVER", "model_uri": "s3://m/1"}
    task = {**server, "ttl": 3600, "wait_for_available": False, **arguments}
    run(task_process.SeldonDeployModelOperator(task_id="deploy", **task), run_id=f"of-{name}")


def let_expire(hook: SeldonHook, *names: str) -> None:
    """Let the time of previews be over."""
    for name in names:
        write = hook.client.get(name).annotations[ANNOTATION_WRITE]
        hook.client.annotate(
            name,
            {ANNOTATION_EXPIRY_RENEWED: json.dumps({"v": 1, "write": write, "ttl": 60, "until": OVER})},
        )


def reap(**arguments: Any) -> dict[str, Any]:
    defaults = {"task_id": "reaper", "orphans": "ignore", "timeout": patience(20)}
    result, pushed = run(SeldonReaperOperator(**{**defaults, **arguments}), task_id="reaper")
    assert pushed["report"] == result
    return result


def names(report: dict[str, Any], what: str) -> list[str]:
    return sorted(one["name"] for one in report[what])


def there(hook: SeldonHook) -> list[str]:
    return sorted(one.name for one in hook.client.find())


def test_previews_are_marked_first_then_deleted_and_what_was_deployed_again_lives_on(
    hook: SeldonHook, local_seldon: Any
) -> None:
    previews("over", "renewed", "young")
    preview("forever", ttl=None)
    theirs = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="argocd-controller")
    theirs.apply(SeldonDeployment.from_manifest({**FOREIGN, "metadata": {"name": "foreign"}}))
    let_expire(hook, "over", "renewed")

    # A dry run first: it tells, and writes nothing.
    versions = {one.name: one.annotations for one in hook.client.find()}
    told = reap(dry_run="True")
    assert (told["dry_run"], names(told, "marked"), told["deleted"]) == (True, ["over", "renewed"], [])
    assert {one.name: one.annotations for one in hook.client.find()} == versions

    marked = reap()
    assert (names(marked, "marked"), marked["deleted"], marked["skipped"]) == (["over", "renewed"], [], [])
    assert OVER in marked["marked"][0]["reason"]
    assert {one["run_id"] for one in marked["marked"]} == {"of-over", "of-renewed"}
    assert ANNOTATION_EXPIRY_NOTICED in hook.client.get("over").annotations
    waiting = reap()
    assert (names(waiting, "skipped"), waiting["deleted"]) == (["over", "renewed"], [])

    preview("renewed")  # unchanged: only its time is another one
    assert names(reap(grace=0, dry_run=True), "deleted") == ["over"]
    assert there(hook) == ["foreign", "forever", "over", "renewed", "young"]
    done = reap(grace=0)
    assert (names(done, "deleted"), names(done, "cleared")) == (["over"], ["renewed"])
    assert there(hook) == ["foreign", "forever", "renewed", "young"]
    assert hook.client.pods.of_deployment("over") == []
    assert ANNOTATION_EXPIRY_NOTICED not in hook.client.get("renewed").annotations
    # Run again, there is nothing to do, and nothing is written.
    local_seldon.requests.clear()
    idle = reap(grace=0)
    assert not any(value for key, value in idle.items() if key not in ("dry_run", "terms"))
    assert idle["terms"] == {
        "connection": "seldon_default",
        "namespaces": [hook.namespace],
        "grace": 0.0,
        "orphans": "ignore",
        "only": {},
    }
    ours = [one for one in local_seldon.requests.entries() if one.user_agent.startswith("airflow-provider")]
    assert [f"{one.verb} {one.resource}" for one in ours] == ["list seldondeployments"]


def test_a_preview_that_is_deployed_at_the_last_moment_is_not_deleted(
    hook: SeldonHook, monkeypatch: pytest.MonkeyPatch
) -> None:
    previews("over")
    let_expire(hook, "over")
    reap()
    delete = SeldonClient.delete

    def deploys_first(client: SeldonClient, name: str, **options: Any) -> bool:
        monkeypatch.setattr(SeldonClient, "delete", delete)
        preview(name, model_uri="s3://m/2")
        return client.delete(name, **options)

    monkeypatch.setattr(SeldonClient, "delete", deploys_first)
    report = reap(grace=0)
    assert (report["deleted"], names(report, "skipped"), there(hook)) == ([], ["over"], ["over"])


def test_one_error_does_not_stop_the_others_and_the_task_fails_with_all_named(
    hook: SeldonHook, local_seldon: Any
) -> None:
    previews("first", "second", "third")
    let_expire(hook, "first", "second", "third")
    reap()
    local_seldon.faults.add(Fault(verb="delete", name="second", status=403, count=None))
    given = context(task_id="reaper")
    with pytest.raises(ReapingError, match=f"{hook.namespace}/second: ForbiddenError"):
        SeldonReaperOperator(task_id="reaper", orphans="ignore", grace=0, timeout=patience(20)).execute(given)
    report = given["ti"].pushed["report"]
    assert (names(report, "deleted"), names(report, "errors")) == (["first", "third"], ["second"])
    assert there(hook) == ["second"]


def test_filters_and_namespaces_say_what_is_looked_at(hook: SeldonHook, fresh_namespace: str) -> None:
    previews("here", "also")
    preview("there", namespace=fresh_namespace, model_server={"labels": {"team": "a"}})
    let_expire(hook, "here", "also")
    let_expire(SeldonHook(namespace=fresh_namespace), "there")
    assert names(reap(name="here", dry_run=True), "marked") == ["here"]
    assert names(reap(model_name="also", dry_run=True), "marked") == ["also"]
    assert names(reap(namespace=[hook.namespace, fresh_namespace], dry_run=True), "marked") == [
        *("also", "here", "there"),
    ]
    everywhere = reap(namespace="*", labels={"team": "a"})
    assert [(one["namespace"], one["name"]) for one in everywhere["marked"]] == [(fresh_namespace, "there")]
    reap(namespace=fresh_namespace, grace=0)
    assert there(SeldonHook(namespace=fresh_namespace)) == []


def test_orphans_are_reported_and_deleted_only_if_this_airflow_knows_the_dag(hook: SeldonHook) -> None:
    previews("gone", "unheard-of", "unknown", "present")

    def origin(one: SeldonDeployment) -> Whereabouts:
        return Whereabouts(origin=Origin(one.name.replace("-", "_")), reason=f"{one.name} it is")

    for delete, marked in ((False, []), (True, ["gone"])):
        report = Report(dry_run=False)
        terms = Terms(grace=60, delete_orphans=delete)
        Reaper(target=hook.target, terms=terms, report=report, origin_of=origin).reap(hook.client.find())
        assert names(report.to_json(), "orphans") == ["gone", "unheard-of"]
        assert names(report.to_json(), "marked") == marked


def after(hook: SeldonHook, seconds: float) -> Report:
    """What a reaper reports that looks so much later."""
    report = Report(dry_run=False)
    terms = Terms(grace=3600, timeout=patience(30))
    reaper = Reaper(target=hook.target, terms=terms, report=report, clock=lambda: time.time() + seconds)
    reaper.reap(hook.client.find())
    assert report.errors == []
    return report


def test_a_killed_canary_is_aborted_once_its_lease_has_expired_and_not_before(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    task = {**CANDIDATE, "steps": [25], "bake": 600, "timeout": 30, "name": served}
    process = task_process.start("canary", task)
    wait_until(lambda: (found := lease(hook, served)) is not None and found.since is not None, patience(60))
    process.kill()  # SIGKILL
    process.join()
    assert predictors(hook, served) == {"default": ("1", 75), "canary": ("2", 25)}

    live = after(hook, 0)
    assert (live.aborted, names(live.to_json(), "skipped")) == ([], [served])
    late = after(hook, 2000)
    assert names(late.to_json(), "aborted") == [served]
    assert "run run-1 no longer leads its canary" in late.aborted[0]["reason"]
    assert_serves(hook, served, "1")
    assert after(hook, 2000).aborted == []


def hold_too_long(hook: SeldonHook, name: str) -> None:
    """Hold a canary for an approval that does not come in time."""
    run(operator(hold_at=5, hold_for=0.1), logical_date=TUESDAY)
    wait_until(lambda: (found := lease(hook, name)) is not None and found.expired(time.time()))


def lease(hook: SeldonHook, name: str) -> Lease | None:
    return Lease.of(hook.client.get(name))


def test_an_approval_that_comes_too_late_and_a_promotion_without_a_leader_end_as_aborts(
    hook: SeldonHook,
    served: str,  # noqa: F811
) -> None:
    hold_too_long(hook, served)
    assert names(reap(), "aborted") == [served]
    assert_serves(hook, served, "1")

    run(operator(hold_at=5), run_id="run-2", logical_date=TUESDAY)
    conductor = Conductor(hook.target, patience=lambda _: 0.0)
    held = conductor.under_way(served)
    assert held is not None
    # A worker that died with a promotion half done, long ago.
    conductor.promote(held, seconds=-3600)
    assert lease(hook, served).stage is Stage.PROMOTING  # type: ignore[union-attr]
    assert names(reap(), "aborted") == [served]
    assert_serves(hook, served, "1")


def test_a_canary_that_is_resumed_while_the_reaper_looks_is_left_to_who_resumed_it(
    hook: SeldonHook,
    served: str,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hold_too_long(hook, served)
    apply: Callable[..., Any] = aborting.apply_over_scaling
    approved = []

    def approved_first(*given: Any, **named: Any) -> Any:
        monkeypatch.setattr(aborting, "apply_over_scaling", apply)
        conductor = Conductor(hook.target, patience=lambda _: 0.0)
        held = conductor.under_way(served)
        assert held is not None
        approved.append(conductor.promote(held, seconds=600))
        return apply(*given, **named)

    monkeypatch.setattr(aborting, "apply_over_scaling", approved_first)
    report = reap()
    assert (len(approved), report["aborted"], names(report, "skipped")) == (1, [], [served])
    run(operator(SeldonPromoteCanaryOperator, name=served), logical_date=TUESDAY)
    assert_serves(hook, served, "2")
