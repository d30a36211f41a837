"""Section [seldon] of Airflow's configuration: defaults on every Airflow, and what is no value never fails a task."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from airflow_provider_seldon import settings
from airflow_provider_seldon.get_provider_info import configuration

OPTIONS: dict[str, Any] = configuration()["seldon"]["options"]  # type: ignore[index]


@pytest.mark.parametrize("option", OPTIONS)
def test_the_default_is_the_one_in_the_provider_info(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(f"AIRFLOW__SELDON__{option.upper()}", raising=False)
    assert str(getattr(settings, option)()).removesuffix(".0") == OPTIONS[option]["default"]


@pytest.mark.parametrize("option", OPTIONS)
def test_the_example_is_a_value(option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"AIRFLOW__SELDON__{option.upper()}", OPTIONS[option]["example"])
    assert str(getattr(settings, option)()).removesuffix(".0") == OPTIONS[option]["example"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("progress_interval", "often", "'often' is not a number of seconds of at least 1"),
        ("progress_interval", "0", "at least 1"),
        ("progress_interval", "inf", "at least 1"),
        ("progress_interval", "nan", "at least 1"),
        ("failure_log_lines", "-1", "'-1' is not a whole number of 0 or more"),
        ("failure_log_lines", "1.5", "whole number"),
        ("dashboard_url", "http://x/{deployment}", "there is no field {deployment}; use {namespace}, {name}"),
        ("prometheus_link", "http://x/{expr}", "there is no field {expr}; use {query}, {range}"),
        ("dashboard_url", "/d/{name}", "'/d/{name}' is not an HTTP URL"),
        ("dashboard_url", "http://me:pw@x/{name}", "login or password"),
        ("dashboard_url", "http://x/{name", "expected '}'"),
    ],
)
def test_an_invalid_value_is_reported_and_the_default_applies(
    option: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(f"AIRFLOW__SELDON__{option.upper()}", value)
    with caplog.at_level(logging.WARNING, settings.log.name):
        assert str(getattr(settings, option)()).removesuffix(".0") == OPTIONS[option]["default"]
    assert message in caplog.text
    assert f"[seldon] {option}" in caplog.text
    assert ":pw@" not in caplog.text


def test_every_option_is_read() -> None:
    read = {
        name
        for name, value in vars(settings).items()
        if callable(value) and value.__module__ == settings.__name__
    }
    assert OPTIONS.keys() <= read


def test_connections_and_namespaces_of_the_fleet_page_are_read_without_the_white_space_around_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AIRFLOW__SELDON__FLEET_CONNECTIONS", " a , b / models,\n b/models, a,, c/ ")
    assert settings.fleet_targets() == (("a", ""), ("b", "models"), ("c", ""))
