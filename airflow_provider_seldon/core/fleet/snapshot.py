"""One look at one namespace through one connection, stored for a web server without credentials."""

from __future__ import annotations

import base64
import binascii
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from airflow_provider_seldon.core.fleet.view import DetailView

#: Version of the stored form. A later version adds fields, and never changes the meaning of a known field.
SCHEMA = 1
#: Maximum size of an unpacked snapshot; this provider writes none that is larger.
MAX_UNPACKED = 64_000_000
_GARBLED = (KeyError, TypeError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """
    The result of one look.

    :param connection: Airflow connection.
    :param namespace: namespace; "" while it is unknown.
    :param moment: epoch seconds of the look; 0.0 before the first one.
    :param details: the deployments.
    :param error: why the last look failed, in which case ``details`` are older; "" if it succeeded.
    """

    connection: str
    namespace: str = ""
    moment: float = 0.0
    details: Sequence[DetailView] = ()
    error: str = ""

    def pack(self) -> str:
        """Return text for an Airflow Variable: compressed, about a tenth of its length."""
        text = json.dumps([one.to_json() for one in self.details], separators=(",", ":"))
        return json.dumps(
            {
                "v": SCHEMA,
                "connection": self.connection,
                "namespace": self.namespace,
                "moment": self.moment,
                "error": self.error,
                "deployments": base64.b64encode(zlib.compress(text.encode(), 9)).decode(),
            }
        )

    @classmethod
    def unpack(cls, text: str) -> Self:
        """
        Read it back.

        :raises ValueError: the text is not a snapshot.
        """
        try:
            data = json.loads(text)
            moment = float(data["moment"])
            if not math.isfinite(moment):
                raise TypeError("no moment")
            packed = base64.b64decode(data["deployments"], validate=True)
            plain = zlib.decompressobj().decompress(packed, MAX_UNPACKED)
            return cls(
                connection=_text(data, "connection"),
                namespace=_text(data, "namespace"),
                moment=moment,
                error=_text(data, "error"),
                details=tuple(DetailView.from_json(one) for one in json.loads(plain)),
            )
        except (*_GARBLED, binascii.Error, zlib.error) as error:
            raise ValueError(f"not a snapshot of a fleet: {type(error).__name__}") from None


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    return value if isinstance(value, str) else ""
