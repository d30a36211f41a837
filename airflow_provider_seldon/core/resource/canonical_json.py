"""The canonical JSON text of a value, and hashes of it."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> str:
    """Return the canonical JSON text of ``value``, independent of the order of keys, for hashing."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any, length: int) -> str:
    """Return the first ``length`` hexadecimal digits of the SHA-256 of a value's JSON text."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:length]
