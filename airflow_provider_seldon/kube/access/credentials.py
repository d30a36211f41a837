"""
Make a resolved configuration's credentials safe: tokens valid in headers, and keys that do not survive a
kill.

The official client reads tokens again before requests (a service account's file, an expired answer of a
plugin), so this module's checks run after every such read.
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

    :raises ConnectionConfigError: a token is not valid in a header; it is not quoted.
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
            configuration.refresh_api_key_hook = refresh  # the client replaces it by its own
        tidy(configuration)

    if read_anew is not None:
        configuration.refresh_api_key_hook = refresh
    tidy(configuration)


def secrets_of(configuration: Configuration) -> Iterator[str]:
    """Yield a configuration's credentials, to mask them where a server quotes them."""
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
            "The token for the API server (of a kubeconfig, plugin or service account) cannot be used: "
            f"{problem}"
        )
