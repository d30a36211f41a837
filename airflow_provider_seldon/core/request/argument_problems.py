"""
Checks of a user's arguments: every problem by the argument's name, with the nearest valid name suggested.

Converts pydantic's errors to ``Problem``s, finds credentials in plain text, and checks each argument by
itself. Combinations of arguments are checked where they are combined, in ``spec`` and ``user_manifest``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from pydantic import ValidationError

from airflow_provider_seldon.core.credentials import literals, model_uri
from airflow_provider_seldon.core.identity.annotations import is_reserved
from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.request.model_server_fields import ModelServerFields
from airflow_provider_seldon.core.resource.parameters import environment
from airflow_provider_seldon.core.values.suggestion import unknown

_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_MAY_HOLD_SECRETS = frozenset({"env", "parameters", "manifest"})
_RESOURCES = ("requests", "limits", "claims")


def problems_of(error: ValidationError, valid: Collection[str], expected: Mapping[str, str]) -> list[Problem]:
    """
    Return pydantic's errors as problems.

    :param valid: names of all arguments.
    :param expected: expected value of each argument, e.g. ``a list of text``.
    """
    problems: list[Problem] = []
    for one in error.errors(include_url=False):
        cause = one.get("ctx", {}).get("error")
        path = [str(part) for part in one["loc"]]
        name = path[0] if path else ""
        if isinstance(cause, InvalidRequestError):
            problems.extend(cause.problems)
        elif one["type"] == "extra_forbidden":
            problems.append(unknown(name, name, valid))
        elif one["type"] == "missing":
            problems.append(Problem(name, "is missing", f"give {expected.get(name, 'it')}"))
        else:
            wanted = expected.get(name, "a value of the right type")
            if not any(problem.field == name for problem in problems):  # one per argument is enough
                shown = str(one["input"])[:80] if isinstance(one["input"], str | int | float) else None
                value = None if name in _MAY_HOLD_SECRETS else shown
                problems.append(Problem(name, f"is not {wanted}", f"give {wanted}", value=value))
    return problems


def argument_problems(server: ModelServerFields) -> Iterator[Problem]:
    """Yield the problems of single arguments of a request, with or without a manifest."""
    for field in ("model_uri", "implementation", "image"):
        value = getattr(server, field)
        if value is not None and _is_unusable(value):
            shown = None if "@" in value or "?" in value else value
            yield Problem(
                field, "is not usable", "check its template: did the task before push it", value=shown
            )
    for field in ("labels", "annotations"):
        for key in sorted(getattr(server, field)):
            if is_reserved(key):
                yield Problem(f"{field}.{key}", "is set by this provider", "choose another key")
    for key in server.resources:
        if key not in _RESOURCES:
            yield unknown(f"resources.{key}", key, _RESOURCES, noun="field")
    yield from _variable_problems(environment(server.env))


def _is_unusable(value: str) -> bool:
    return value == "None" or value != value.strip()


def literal_problems(server: ModelServerFields) -> Iterator[Problem]:
    """Yield the credentials that a request contains in plain text."""
    if server.model_uri and not _is_unusable(server.model_uri):  # argument_problems reports it already
        yield from model_uri.problems(server.model_uri, "model_uri")
    yield from literals.in_env(environment(server.env), "env")
    yield from literals.in_parameters(server.parameters, "parameters")
    yield from literals.in_arguments(server.command, "command")
    yield from literals.in_arguments(server.args, "args")
    yield from literals.in_annotations(server.annotations, "annotations")
    yield from literals.problems(server.extra_args, "extra_args")
    yield from literals.problems(server.manifest, "manifest")


def _variable_problems(variables: list[dict[str, object]]) -> Iterator[Problem]:
    for index, variable in enumerate(variables):
        name = variable.get("name")
        if not isinstance(name, str) or not _ENV_NAME.match(name):
            yield Problem(
                f"env[{index}].name",
                "is not the name of a variable",
                "use letters, digits and _",
                value=str(name),
            )
