"""The representation of objects in a response: JSON, a Table, or metadata alone.

Purpose: content negotiation by the ``Accept`` header ("Alternate representations of resources", Kubernetes
API concepts). Only JSON is supported; a client that does not accept it gets an error.
"""

from __future__ import annotations

from airflow_provider_seldon.local.apiserver.objects.store import Stored, encode
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo
from airflow_provider_seldon.local.apiserver.reads import tables
from airflow_provider_seldon.local.apiserver.reads.reading import Page, list_body

JSON = "application/json"
_PARTIAL = "PartialObjectMetadata"
_FORMS = ("", "Table", _PARTIAL, f"{_PARTIAL}List")


class Representation:
    """
    The representation that a client requests.

    :param accept: The ``Accept`` header.
    :param include: The ``includeObject`` parameter, for tables.
    :raises StatusError: 406 if the client does not accept JSON.
    """

    def __init__(self, accept: str, include: str) -> None:
        self.include = include or "Metadata"
        self.kind = _form(accept).removesuffix("List")

    @property
    def name(self) -> str:
        """The key of a representation."""
        return f"{self.kind}:{self.include}" if self.kind == "Table" else self.kind

    def one(self, info: RequestInfo, stored: Stored) -> bytes:
        """Return the JSON of one object in this representation."""
        if self.kind == "Table":
            page = Page(items=[stored], revision=stored.revision)
            return self.many(info, page)
        if self.kind == _PARTIAL:
            return encode(tables.partial(stored))
        return stored.encoded(info.version)

    def many(self, info: RequestInfo, page: Page) -> bytes:
        """Return the JSON of a list in this representation."""
        if self.kind == "Table":
            return encode(
                tables.table(
                    info.resource,
                    page.items,
                    version=info.version,
                    metadata=page.metadata(),
                    include=self.include,
                )
            )
        if self.kind == _PARTIAL:
            return encode(
                {
                    "kind": f"{_PARTIAL}List",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": page.metadata(),
                    "items": [tables.partial(stored) for stored in page.items],
                }
            )
        return list_body(info, page)


def _form(accept: str) -> str:
    choices = [choice.strip() for choice in accept.split(",") if choice.strip()]
    for choice in choices:
        media, *parameters = (part.strip() for part in choice.split(";"))
        if media not in (JSON, "application/*", "*/*"):
            continue
        named = dict(parameter.partition("=")[::2] for parameter in parameters)
        if named.get("as", "") in _FORMS:
            return str(named.get("as", ""))
    if choices:
        raise status.StatusError(
            code=406,
            reason="NotAcceptable",
            message=f"only the following media types are accepted: {JSON}",
        )
    return ""
