"""
Credentials as text: mask them in output, and refuse those that are invalid in a header.

HTTP libraries quote a header that they refuse (``Invalid header value b'Bearer ...'``), in an escaped form
that no masker recognises. So header values are checked before any library sees them, and responses are
searched for the credentials that were sent.
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
#: Shorter ones are ignored, because they would mask ordinary words.
_SHORTEST = 4
HIDDEN = "***"


class SecretText(str):
    """Text that ``repr`` does not show, so that neither a data class nor a debugger shows it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(HIDDEN)


def header_token(value: Any, field: str) -> SecretText:
    """
    Return a token for a header, without the surrounding white space that files and forms add.

    :param field: its source, for the message.
    :raises InvalidRequestError: it is invalid in a header; the token is not quoted.
    """
    text = SecretText(str(value).strip())
    if not _HEADER_TEXT.match(text):
        raise InvalidRequestError.of(
            field,
            "is empty, or contains white space or characters that are not allowed in an HTTP header",
            "give the token itself, on one line",
        )
    return text


def basic_authorization(login: str, password: str) -> SecretText:
    """Return the header's value for a login and a password; UTF-8, according to RFC 7617."""
    return SecretText(f"Basic {base64.b64encode(f'{login}:{password}'.encode()).decode()}")


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """
    Return a text in which secrets are masked, also in escaped or encoded form.

    :param secrets: the credentials that were sent; the scheme of a header's value (``Bearer``) is not part of
        the secret.
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
