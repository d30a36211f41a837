"""
Legal values of labels.

A value that was changed to be legal ends in a hash of the original, so that two DAG ids with the same first
63 characters stay different.
"""

from __future__ import annotations

import hashlib
import re

#: Valid Kubernetes label values.
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?\Z")


def label_value(text: str) -> str:
    """
    Return a legal Kubernetes label value for ``text``.

    Legal text is returned unchanged. Anything else keeps its legal characters, cut to leave room, and ends in
    ``-`` and eight hexadecimal digits of its SHA-256.
    """
    if LABEL_VALUE.match(text):
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    legal = re.sub(r"[^-A-Za-z0-9_.]+", "_", text).strip("-_.")
    return "-".join(part for part in (legal[: 63 - 9].strip("-_."), digest) if part)
