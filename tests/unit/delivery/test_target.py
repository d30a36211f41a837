"""What a hook hands to ``delivery``."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from airflow_provider_seldon.delivery.target import Target
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.kube.access.access import ClusterAccess

NOBODY: dict[str, Any] = {
    "access": ClusterAccess(key="k", resolve=lambda: pytest.fail("resolved")),
    "open_ingress": lambda: pytest.fail("opened"),
    "redact": str,
    "mask": list,
}


def test_the_client_is_opened_once_and_only_when_it_is_used() -> None:
    opened: list[Any] = []

    def open_client() -> Any:
        opened.append(object())
        return opened[-1]

    target = Target(namespace="models", open_client=open_client, **NOBODY)
    assert opened == []
    assert target.client is target.client
    assert len(opened) == 1


def test_a_target_does_not_change() -> None:
    target = Target(namespace="models", open_client=lambda: pytest.fail("opened"), **NOBODY)
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.namespace = "others"  # type: ignore[misc]


def test_the_target_of_a_trigger_resolves_no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = SeldonHook(None, config_dict={"not": "a kubeconfig"})
    monkeypatch.setattr(SeldonHook, "_resolve", lambda *_: pytest.fail("resolved"))
    assert hook.target_in("models").namespace == "models"


def test_the_repr_of_a_target_shows_its_namespace_only() -> None:
    hook = SeldonHook(None, config_dict={"users": [{"name": "u", "user": {"token": "not-to-be-shown"}}]})
    assert repr(hook.target_in("models")) == "Target(namespace='models', storage_secret=None)"
