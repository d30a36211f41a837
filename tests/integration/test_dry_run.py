"""``dry_run=True`` writes nothing and says what it would; ``adopt=True`` says what it takes over."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest

from airflow_provider_seldon.core.resource.seldon_deployment import SeldonDeployment
from airflow_provider_seldon.exceptions import NotManagedError, RejectedError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.requests.client import SeldonClient
from airflow_provider_seldon.operators.delete import SeldonDeleteModelOperator
from airflow_provider_seldon.operators.rollback import SeldonRollbackOperator
from airflow_provider_seldon.operators.scale import SeldonScaleModelOperator
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import deploy, operator

SECOND = "s3://models/iris/2"
FOREIGN = {
    "apiVersion": "machinelearning.seldon.io/v1",
    "kind": "SeldonDeployment",
    "metadata": {"name": "iris", "labels": {"team": "theirs"}},
    "spec": {
        "predictors": [
            {
                "name": "main",
                "componentSpecs": [
                    {
                        "spec": {
                            "containers": [
                                {
                                    "name": "m",
                                    "image": "theirs:1",
                                    "env": [{"name": "DB_PASSWORD", "value": "hunter22"}],
                                }
                            ]
                        }
                    }
                ],
                "graph": {"name": "m", "type": "MODEL"},
            }
        ]
    },
}


def stored(hook: SeldonHook) -> list[Any]:
    return [one.to_manifest() for one in hook.client.find()]


def somebody_elses(hook: SeldonHook) -> None:
    theirs = SeldonClient(hook.api_client, namespace=hook.namespace, field_manager="argocd-controller")
    theirs.apply(SeldonDeployment.from_manifest(copy.deepcopy(FOREIGN)))


def test_a_first_deploy_is_checked_and_shown_and_not_made(hook: SeldonHook) -> None:
    task = context()
    result = operator(dry_run=True, deferrable=True).execute(task)
    assert (result["action"], result["dry_run"]) == ("dry-run (created)", True)
    assert "+      modelUri: s3://models/iris/1" in result["diff"]
    assert "airflow-provider-seldon" not in result["diff"]
    assert task["ti"].pushed == {}
    assert stored(hook) == []


def test_an_update_shows_what_changes_and_nothing_else(hook: SeldonHook) -> None:
    deploy()
    before = stored(hook)
    result = deploy(model_uri=SECOND, dry_run=True)
    changed = [
        line for line in result["diff"].splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert [line.replace(" ", "") for line in changed] == [
        "-modelUri:s3://models/iris/1",
        f"+modelUri:{SECOND}",
    ]
    assert result["action"] == "dry-run (updated)"
    assert stored(hook) == before


def test_the_same_version_again_shows_no_difference(hook: SeldonHook) -> None:
    deploy()
    result = deploy(dry_run=True)
    assert (result["action"], result["diff"]) == ("dry-run (unchanged)", "")


def test_what_would_be_superseded_is_named_and_kept(hook: SeldonHook) -> None:
    names = {deploy({"run_id": run}, replace=False)["name"] for run in ("a", "b")}
    result = deploy(model_uri=SECOND, dry_run=True)
    assert {result["name"], *result["superseded"]} == names
    assert {one["metadata"]["name"] for one in stored(hook)} == names


def test_the_webhook_of_the_cluster_is_called(hook: SeldonHook) -> None:
    with pytest.raises(RejectedError, match="No entry in predictors map for LIGHTGBM_SERVER"):
        deploy(implementation="LIGHTGBM_SERVER", dry_run=True)


def test_a_rollback_and_a_scaling_are_shown_and_not_done(hook: SeldonHook) -> None:
    deploy()
    name = deploy(model_uri=SECOND)["name"]
    before = stored(hook)
    back = SeldonRollbackOperator(task_id="back", name=name, dry_run=True).execute(context(task_id="back"))
    assert back["action"] == "dry-run (rolled_back)"
    assert "modelUri: s3://models/iris/1" in back["diff"]
    scaled = SeldonScaleModelOperator(task_id="stop", name=name, replicas=0, dry_run=True).execute(context())
    assert "replicas: 0" in scaled["diff"]
    assert stored(hook) == before


def test_a_deletion_names_what_would_go(hook: SeldonHook) -> None:
    name = deploy()["name"]
    before = stored(hook)
    task = SeldonDeleteModelOperator(task_id="delete", model_name="iris", dry_run=True)
    assert task.execute(context()) == [name]
    assert stored(hook) == before


def test_no_write_reaches_the_store_not_even_a_secret(
    hook: SeldonHook, local_seldon: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "AIRFLOW_CONN_SELDON_DEFAULT", local_seldon.airflow_connection(storage_conn_id="store")
    )
    monkeypatch.setenv(
        "AIRFLOW_CONN_STORE", '{"conn_type": "aws", "login": "user", "password": "hunter22-hunter22"}'
    )
    result = deploy(dry_run=True)
    name = next(line.split()[-1] for line in result["diff"].splitlines() if "envSecretRefName" in line)
    assert not hook.client.secrets.exists(name)
    assert "hunter22" not in result["diff"]
    assert stored(hook) == []


def test_another_owners_deployment_is_refused_in_a_dry_run_too(hook: SeldonHook) -> None:
    somebody_elses(hook)
    with pytest.raises(NotManagedError, match="argocd-controller"):
        deploy(name="iris", dry_run=True)


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_adopted_is_shown_first_without_its_credentials(
    hook: SeldonHook, caplog: pytest.LogCaptureFixture, dry_run: bool
) -> None:
    somebody_elses(hook)
    with caplog.at_level(logging.WARNING):
        result = deploy(name="iris", adopt="irreversibly", dry_run=dry_run)
    told = next(one.getMessage() for one in caplog.records if "Taking over" in one.getMessage())
    assert "created by argocd-controller" in told
    assert "+      modelUri: s3://models/iris/1" in told
    assert "theirs:1" in told
    for text in (told, result.get("diff", "")):
        assert "hunter22" not in text
    managed = "app.kubernetes.io/managed-by" in hook.client.get("iris").labels
    assert managed is not dry_run
