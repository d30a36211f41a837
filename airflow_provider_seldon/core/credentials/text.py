"""
Credentials as text: hidden where they would be shown, refused where a header cannot carry them.

HTTP libraries quote a header that they refuse (``Invalid header value b'Bearer ...'``), and in an escaped form that
no masker knows. So what goes into a header is checked before any library sees it, and what comes back from a server
is searched for what was sent.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from airflow_provider_seldon.core.invalid_request import InvalidRequestError

#: Visible ASCII: what RFC 6750 and RFC 7235 allow in a token, and a little more.
_HEADER_TEXT = re.compile(r"[\x21-\x7e]+\Z")
#: Shorter ones are passed over, because they would hide ordinary words.
_SHORTEST = 4
HIDDEN = "***"


class SecretText(str):
    """A text that ``repr`` does not show, so that neither a data class nor a debugger's list of variables does."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)


def header_token(value: Any, field: str) -> SecretText:
    """
    Return a token as a header carries it: without the white space around it, with which files and forms end.

    :param field: where it comes from, for the message.
    :raises InvalidRequestError: it holds what a header cannot carry; the token is not quoted.
    """
    text = SecretText(str(value).strip())
    if not _HEADER_TEXT.match(text):
        raise InvalidRequestError.of(
            field,
            "is empty, or holds white space or characters that no HTTP header carries",
            "give the token itself, on one line",
        )
    return text


def basic_authorization(login: str, password: str) -> SecretText:
    """Return the header's value for a login and a password; UTF-8, as RFC 7617 has it."""
    return SecretText(f"Basic {base64.b64encode(f'{login}:{password}'.encode()).decode()}")


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """
    Return a text in which secrets are hidden, also where they stand escaped or encoded.

    :param secrets: what was sent; the scheme of a header's value (``Bearer``) is not part of the secret.
    """
    encodings = {one for secret in secrets for one in _encodings(str(secret))}
    for encoding in sorted(encodings, key=len, reverse=True):
        text = text.replace(encoding, HIDDEN)
    return text


def _encodings(secret: str) -> Iterable[str]:
    scheme, space, rest = secret.partition(" ")
    bare = (rest if space and scheme in ("Bearer", "Basic") else secret).strip()
    if len(bare) < _SHORTEST:
        return
    yield from (bare, json.dumps(bare)[1:-1], repr(bare)[1:-1], quote(bare, safe=""))
    if scheme == "Basic":
        try:
            login, _, password = base64.b64decode(bare, validate=True).decode().partition(":")
        except ValueError:
            return
        yield from (one for one in (f"{login}:{password}", password) if len(one) >= _SHORTEST)
