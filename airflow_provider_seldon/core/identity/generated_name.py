"""The name of a deployment that its user has not named: readable, and the same whenever the same is deployed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_provider_seldon.core.resource.canonical_json import digest

#: Leaves 27 of the 63 characters of a name for what Seldon appends, e.g. ``-default-0-classifier``.
MAX_NAME_LENGTH = 36

_HASH_LENGTH = 10


def generated_name(readable: str, parts: Sequence[str | int]) -> str:
    """
    Return a DNS-1035 label of at most ``MAX_NAME_LENGTH`` characters.

    :param readable: what the name begins with, as far as a name may.
    :param parts: what makes it different from others.
    """
    begin = re.sub(r"[^a-z0-9]+", "-", readable.lower()).strip("-") or "model"
    if not begin[0].isalpha():
        begin = f"m-{begin}"
    return f"{begin[: MAX_NAME_LENGTH - _HASH_LENGTH - 1].strip('-')}-{digest(parts, _HASH_LENGTH)}"
