"""
A resolved configuration's credentials, made safe to use: tokens that a header carries, keys that no kill leaves behind.

The official client reads tokens again before requests (a service account's file, a plugin's answer that has expired),
so what is done here is done after every such reading.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_seldon.core.credentials.text import header_token
from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.exceptions import ConnectionConfigError
from airflow_provider_seldon.kube.access.key_files import into_memory

if TYPE_CHECKING:
    from kubernetes.client import Configuration


def guard(configuration: Configuration) -> None:
    """
    Make the credentials of a configuration safe to use, now and whenever the client reads them again.

    :raises ConnectionConfigError: a token holds what no header carries; it is not quoted.
    """
    kept: dict[str, str] = {}
    read_anew = configuration.refresh_api_key_hook

    def tidy(configuration: Configuration) -> None:
        _check_tokens(configuration)
        into_memory(configuration, kept)

    def refresh(configuration: Configuration) -> None:
        try:
            read_anew(configuration)
        finally:
            configuration.refresh_api_key_hook = refresh  # the client puts its own in its place
        tidy(configuration)

    if read_anew is not None:
        configuration.refresh_api_key_hook = refresh
    tidy(configuration)


def secrets_of(configuration: Configuration) -> Iterator[str]:
    """Yield what a configuration lets us in with, for hiding it where a server quotes it."""
    yield from (str(value) for value in configuration.api_key.values() if value)
    if configuration.password:
        yield str(configuration.password)


def _check_tokens(configuration: Configuration) -> None:
    problem = ""
    for name, value in configuration.api_key.items():
        scheme, space, token = str(value or "").partition(" ")
        if not space:
            scheme, token = "", scheme
        try:
            configuration.api_key[name] = f"{scheme}{space}{header_token(token, 'token')}"
        except InvalidRequestError as error:
            problem = str(error)
    if problem:
        raise ConnectionConfigError(
            f"The token for the API server (of a kubeconfig, plugin or service account) cannot be used: {problem}"
        )
