"""
Detect credentials in plain text, anywhere in a request or a manifest.

Everyone who may read a resource can read its spec and annotations; so a literal that looks like a credential,
by its name or its form, is refused. Nothing of it is quoted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_provider_seldon.core.credentials import model_uri
from airflow_provider_seldon.core.credentials.words import (
    holds_password,
    looks_like_credential,
    names_credential,
    option_with_credential,
)
from airflow_provider_seldon.core.invalid_request import Problem

_FOUND = "looks like a credential in plain text"
_FIX = (
    "put the value into a Kubernetes Secret and refer to it: "
    "env=[{'name': ..., 'valueFrom': {'secretKeyRef': {'name': ..., 'key': ...}}}]"
)
_HARMLESS = (None, "", "true", "false", True, False)


def problems(value: Any, field: str) -> Iterator[Problem]:
    """Yield a problem for every literal credential in or below ``value``, in any kind of field."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            path = f"{field}.{key}"
            yield from _READERS[key](item, path) if key in _READERS else problems(item, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from problems(item, f"{field}[{index}]")


def in_env(variables: Any, field: str) -> Iterator[Problem]:
    """Yield problems of the literals in an ``env`` list."""
    for variable in variables if isinstance(variables, list) else ():
        if isinstance(variable, Mapping):
            name, literal = str(variable.get("name", "")), variable.get("value")
            if _is_literal(literal) and (looks_like_credential(name) or holds_password(str(literal))):
                yield Problem(f"{field}.{name}", _FOUND, _FIX)


def in_parameters(parameters: Any, field: str) -> Iterator[Problem]:
    """Yield problems of the literals in a server's parameters, in the CRD's form or as name -> value."""
    if isinstance(parameters, Mapping):
        pairs = list(parameters.items())
    else:
        entries = parameters if isinstance(parameters, list) else []
        pairs = [(one.get("name", ""), one.get("value")) for one in entries if isinstance(one, Mapping)]
    for name, value in pairs:
        if _is_literal(value) and (names_credential(str(name)) or holds_password(str(value))):
            yield Problem(f"{field}.{name}", _FOUND, _FIX)


def in_arguments(arguments: Any, field: str) -> Iterator[Problem]:
    """Yield problems of command-line options that contain a credential."""
    given = [one for one in arguments if isinstance(one, str)] if isinstance(arguments, list) else []
    for index, argument in enumerate(given):
        following = given[index + 1] if index + 1 < len(given) else None
        name = option_with_credential(argument, following)
        if name or holds_password(argument):
            yield Problem(
                f"{field}[{index}]", f"{name or 'a URL'} {_FOUND}", f"{_FIX}; $(NAME) refers to a variable"
            )


def in_annotations(annotations: Any, field: str) -> Iterator[Problem]:
    """Yield problems of the user's own annotations; those with a prefix have a defined meaning."""
    for key, value in annotations.items() if isinstance(annotations, Mapping) else ():
        plain = "/" not in str(key) and names_credential(str(key)) and _is_literal(value)
        if plain or holds_password(str(value)):
            yield Problem(f"{field}.{key}", _FOUND, _FIX)


def _is_literal(value: Any) -> bool:
    return isinstance(value, str) and value not in _HARMLESS


def _uri(value: Any, field: str) -> Iterator[Problem]:
    if isinstance(value, str):
        yield from model_uri.problems(value, field)


_READERS = {
    "env": in_env,
    "parameters": in_parameters,
    "args": in_arguments,
    "command": in_arguments,
    "annotations": in_annotations,
    "modelUri": _uri,
}
