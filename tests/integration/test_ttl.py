"""``ttl``: a preview lives on as long as it is deployed, and everything else stays."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import pytest

from airflow_provider_seldon.core.lifetime.expiry import Expiry, expiry_of
from airflow_provider_seldon.exceptions import InvalidModelServerError, RolloutFailedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.canary import SeldonPromoteCanaryOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from tests.clusters import patience
from tests.clusters.misbehaviour import behaving
from tests.integration.conftest import context
from tests.integration.test_canary import operator as canary
from tests.integration.test_deploy_operator import MONDAY, TUESDAY, deploy, operator
from tests.integration.test_rollback import roll_back

pytestmark = pytest.mark.simulated_pods("many rollouts")
SECOND = "s3://models/iris/2"


def left(hook: SeldonHook, name: str) -> float | None:
    """Hours until the deployment expires."""
    expiry = expiry_of(hook.client.get(name))
    return round((expiry.until.timestamp() - time.time()) / 3600, 1) if expiry else None


def test_each_deploy_that_gives_a_time_begins_it_anew_and_one_without_takes_it_away(hook: SeldonHook) -> None:
    first = deploy(ttl=timedelta(hours=1))
    name = first["name"]
    assert left(hook, name) == 1.0
    assert datetime.fromisoformat(first["expires"]) == expiry_of(hook.client.get(name)).until  # type: ignore[union-attr]
    generation = hook.client.get(name).to_manifest()["metadata"]["generation"]

    # Deployed again, nothing changed: a preview lives on, and no pod restarts.
    again = deploy(ttl=7200)
    assert (again["action"], left(hook, name)) == ("unchanged", 2.0)
    assert hook.client.get(name).to_manifest()["metadata"]["generation"] == generation
    # Decided against, but to be available at all times.
    assert (deploy(ttl="10800", deploy_decision=False)["action"], left(hook, name)) == ("reused", 3.0)
    assert (deploy(deploy_decision=False, on_negative="keep")["action"], left(hook, name)) == ("kept", 3.0)
    # A shorter time of a new version counts, whatever was renewed before.
    assert (deploy(ttl=3600, model_uri=SECOND)["action"], left(hook, name)) == ("updated", 1.0)
    deploy(ttl=7200, model_uri=SECOND)
    # What is no deploy leaves it as it is.
    SeldonScaleModelOperator(task_id="scale", name=name, replicas=2, timeout=patience(30)).execute(context())
    assert left(hook, name) == 2.0
    roll_back(name)
    assert left(hook, name) == 2.0
    # A deploy without a time takes it away: unchanged, or another version.
    assert "expires" not in (stays := deploy(model_uri=SECOND))
    assert (stays["action"], left(hook, name)) == ("unchanged", None)
    deploy(ttl=7200, model_uri=SECOND)
    deploy()
    assert left(hook, name) is None


def test_an_older_run_does_not_change_what_a_newer_one_has_given(hook: SeldonHook) -> None:
    name = deploy({"logical_date": TUESDAY, "run_id": "tuesday"}, ttl=3600)["name"]
    deploy({"logical_date": MONDAY, "run_id": "monday"}, ttl=36000)
    assert left(hook, name) == 1.0


def test_a_deploy_that_fails_gives_the_time_back_that_was_there_before(hook: SeldonHook) -> None:
    name = deploy()["name"]
    with pytest.raises(RolloutFailedError):
        deploy(model_uri=SECOND, model_server=behaving("crash"), ttl=3600)
    assert left(hook, name) is None
    deploy(ttl=7200)
    with pytest.raises(RolloutFailedError):
        deploy(model_uri=SECOND, model_server=behaving("crash"))
    assert left(hook, name) == 2.0


def test_a_dry_run_shows_the_time_and_writes_none(hook: SeldonHook) -> None:
    name = deploy(ttl=3600)["name"]
    until = expiry_of(hook.client.get(name))
    assert "-expires: " in (shown := deploy(dry_run=True))["diff"]
    assert shown["action"] == "dry-run (unchanged)"
    assert "+expires: " in deploy(dry_run=True, ttl=7200)["diff"]
    assert expiry_of(hook.client.get(name)) == until


def test_a_canary_has_its_time_once_it_is_promoted(hook: SeldonHook) -> None:
    name = deploy(ttl=7200)["name"]
    held = canary(steps=[5], hold_at=5, ttl=36000).execute(context(run_id="run-2"))
    assert (held["action"], left(hook, name)) == ("held", 2.0)
    canary(SeldonPromoteCanaryOperator, name=name, task_id="promote").execute(context(run_id="run-2"))
    assert left(hook, name) == 10.0


@pytest.mark.parametrize("ttl", [0, -1, "soon", True, timedelta(0), float("nan"), [60]])
def test_a_time_that_is_none_is_refused_before_a_write(hook: SeldonHook, ttl: Any) -> None:
    with pytest.raises(InvalidModelServerError, match=r"ttl.*Fix: "):
        operator(ttl=ttl)
    task = operator()
    task.ttl = ttl
    with pytest.raises(InvalidModelServerError, match="ttl"):
        task.execute(context())
    assert hook.client.find() == []


def test_a_time_begins_when_the_task_runs() -> None:
    assert Expiry.after(60, now=0.5).until.timestamp() == 61
