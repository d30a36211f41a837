"""Recognise names that usually hold credentials, and texts that contain one."""

from __future__ import annotations

import re

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
#: ``TOKEN_FILE`` or ``SECRET_NAME`` refers to a credential, but is none.
_REFERENCE_WORDS = frozenset({"file", "path", "dir", "name"})
#: Words that are credentials even where "key" and "token" have other meanings (``sort_key``, ``pad_token``).
_SURE_WORDS = frozenset({"password", "passwd", "passphrase", "secret", "apikey", "credential", "credentials"})
_SURE_ENDINGS = (
    *("password", "passwd", "apikey", "accesskey", "secretkey", "privatekey"),
    *("accesstoken", "apitoken", "authtoken", "bearertoken", "refreshtoken", "sastoken"),
)
#: A URL with a login and a password, anywhere in a text. It matches only the end of the scheme: a search that
#: restarts at each letter takes seconds for 90 kB of letters.
_URL = re.compile(r"(?<=[-+.a-zA-Z0-9])://[^\s/?#@:]*:[^\s/?#@]+@")
_OPTION = re.compile(r"--?([A-Za-z][-_A-Za-z0-9]*)(?:=(.+))?\Z", re.DOTALL)


def words(name: str) -> list[str]:
    """Return the words of a name, in lower case: ``modelUri`` and ``model_uri`` have the same."""
    return [word.lower() for word in _WORDS.findall(name)]


def looks_like_credential(name: str) -> bool:
    """Return whether an environment variable of that name usually holds a credential."""
    found = words(name)
    if not found or found[-1] in _REFERENCE_WORDS:
        return False
    return bool(_CREDENTIAL_WORDS & set(found)) or found[-1].endswith(_CREDENTIAL_ENDINGS)


def names_credential(name: str) -> bool:
    """Return whether a parameter or option of that name holds a credential; keys and tokens are ambiguous."""
    found = words(name)
    if not found or found[-1] in _REFERENCE_WORDS:
        return False
    return found == ["token"] or bool(_SURE_WORDS & set(found)) or "".join(found).endswith(_SURE_ENDINGS)


def holds_password(text: str) -> bool:
    """Return whether a text contains a URL with a password."""
    return _URL.search(text) is not None


def option_with_credential(argument: str, following: str | None) -> str:
    """
    Return the name of a command-line option with a credential in plain text; "" for none.

    :param following: the next argument, which is the option's value if it has none itself. ``$(NAME)`` refers
        to a variable.
    """
    match = _OPTION.match(argument)
    if match is None or not names_credential(match[1]):
        return ""
    value = match[2] if match[2] is not None else following
    return "" if not value or value.startswith(("$(", "-")) else match[1]
