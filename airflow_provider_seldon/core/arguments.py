"""
Checks of a user's arguments: every problem by the name of the argument, with the nearest valid one suggested.

Turns pydantic's errors into ``Problem``s, finds credentials in plain text, and checks each argument by
itself. What arguments say together is checked where they are put together, in ``builder`` and
``user_manifest``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from airflow_provider_seldon.core.errors import InvalidRequestError, Problem
from airflow_provider_seldon.core.identity import is_reserved
from airflow_provider_seldon.core.parameters import environment

if TYPE_CHECKING:
    from airflow_provider_seldon.core.model_server import ModelServer

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_CREDENTIAL_WORDS = frozenset(
    {"password", "passwd", "passphrase", "secret", "token", "key", "apikey", "credential", "credentials"}
)
_CREDENTIAL_ENDINGS = (
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
)
#: ``TOKEN_FILE`` or ``SECRET_NAME`` says where a credential is, it is none.
_REFERENCE_WORDS = frozenset({"file", "path", "dir", "name"})
_ENV_NAME = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*\Z")
_MAY_HOLD_SECRETS = frozenset({"env", "parameters", "manifest"})
_RESOURCES = ("requests", "limits", "claims")
_SECRET_FIX = (
    "put the value into a Kubernetes Secret and refer to it: "
    "env=[{'name': ..., 'valueFrom': {'secretKeyRef': {'name': ..., 'key': ...}}}]"
)


def unknown(field: str, name: str, valid: Collection[str], *, noun: str = "argument") -> Problem:
    """Return the problem of a name that is not among ``valid``, suggesting the nearest one."""
    near = nearest(name, valid)
    fix = f"did you mean {near!r}" if near else f"valid are {', '.join(sorted(valid))}"
    return Problem(field, f"unknown {noun} {name!r}", fix)


def nearest(name: str, valid: Collection[str]) -> str | None:
    """Return the valid name that one resembles, None when there is none."""
    # Without case and separators, "modelUri" and "model_uri" are the same.
    squeezed = {"".join(_words(candidate)): candidate for candidate in valid}
    near = difflib.get_close_matches("".join(_words(name)), squeezed, n=1, cutoff=0.55)
    if near:
        return squeezed[near[0]]
    words = set(_words(name))  # "container_image" contains "image"
    return next((candidate for candidate in sorted(valid) if set(_words(candidate)) <= words), None)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]


def problems_of(error: ValidationError, valid: Collection[str], expected: Mapping[str, str]) -> list[Problem]:
    """
    Return pydantic's errors as problems.

    :param valid: names of all arguments.
    :param expected: what each argument wants to be, e.g. ``a list of text``.
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


def looks_like_credential(name: str) -> bool:
    """Return whether an environment variable of that name usually holds a credential."""
    words = _words(name)
    if not words or words[-1] in _REFERENCE_WORDS:
        return False
    return bool(_CREDENTIAL_WORDS & set(words)) or words[-1].endswith(_CREDENTIAL_ENDINGS)


def credential_problems(value: Any, field: str) -> Iterator[Problem]:
    """
    Yield a problem for every literal credential in the ``env`` lists anywhere below ``value``.

    What is in a resource or its annotations can be read by everyone who may read the resource.
    """
    if isinstance(value, Mapping):
        for key, item in value.items():
            path = f"{field}.{key}"
            yield from _env_problems(item, path) if key == "env" else credential_problems(item, path)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from credential_problems(item, f"{field}[{index}]")


def _env_problems(variables: Any, field: str) -> Iterator[Problem]:
    for variable in variables if isinstance(variables, list) else ():
        if isinstance(variable, Mapping):
            name, literal = str(variable.get("name", "")), variable.get("value")
            if looks_like_credential(name) and literal not in (None, "", "true", "false"):
                yield Problem(f"{field}.{name}", "looks like a credential in plain text", _SECRET_FIX)


def argument_problems(server: ModelServer) -> Iterator[Problem]:
    """Yield what is wrong with single arguments of a request, whatever it is built from."""
    for field in ("model_uri", "implementation", "image"):
        value = getattr(server, field)
        if value is not None and (value == "None" or value != value.strip()):
            yield Problem(
                field, "is not usable", "check its template: did the task before push it", value=value
            )
    if server.model_uri and _has_password(server.model_uri):
        yield Problem("model_uri", "contains a password", "put credentials into a Secret (secret_name)")
    for field in ("labels", "annotations"):
        for key in sorted(getattr(server, field)):
            if is_reserved(key):
                yield Problem(f"{field}.{key}", "is set by this provider", "choose another key")
    for key in server.resources:
        if key not in _RESOURCES:
            yield unknown(f"resources.{key}", key, _RESOURCES, noun="field")
    yield from _variable_problems(environment(server.env))


def _has_password(uri: str) -> bool:
    try:
        return urlsplit(uri).password is not None
    except ValueError:
        return False


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
    yield from _env_problems(variables, "env")
