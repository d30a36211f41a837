"""Mask, in every log, credentials that become known only when a connection is resolved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import mask_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from kubernetes.client import Configuration


def mask_configuration(configuration: Configuration) -> None:
    """Mask the tokens and passwords of a resolved Kubernetes client configuration."""
    values = [configuration.password, *configuration.api_key.values()]
    # A token is stored with its scheme ("Bearer eyJ..."); a log may show it without.
    mask_values(part for value in values if value for part in {value, value.split(" ", 1)[-1]})


def mask_values(values: Iterable[str]) -> None:
    """Mask secret values; short ones are skipped, because they would mask ordinary words."""
    for value in values:
        if len(value) > 4:
            mask_secret(value)


def redact(text: str) -> str:
    """Return a text in which every credential that Airflow knows is masked."""
    from airflow.providers.common.compat.sdk import redact as airflow_redact

    return str(airflow_redact(text))
