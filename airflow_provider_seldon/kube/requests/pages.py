"""A LIST of the Kubernetes API, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_seldon.core.resource.unstructured import text_at
from airflow_provider_seldon.exceptions import UnexpectedAnswerError
from airflow_provider_seldon.kube.requests.transport import Transport

#: Objects per page of a LIST (Kubernetes API concepts, "Retrieving large results sets in chunks").
PAGE_SIZE = 500


def pages(
    transport: Transport, path: str, *, labels: str | None = None, fields: str | None = None
) -> Iterator[dict[str, Any]]:
    """
    Return the items of all pages; each page is requested when the previous one is used up.

    :param transport: sends the requests.
    :param path: path of the list.
    :param labels: a label selector.
    :param fields: a field selector.
    :raises UnexpectedAnswerError: a page names itself as the next.
    """
    token: str | None = None
    while True:
        page = transport.request(
            "GET",
            path,
            query={
                "labelSelector": labels,
                "fieldSelector": fields,
                "limit": PAGE_SIZE,
                "continue": token,
            },
        )
        yield from page.get("items") or ()
        before, token = token, text_at(page, "metadata", "continue") or None
        if not token:
            return
        if token == before:
            raise UnexpectedAnswerError(
                f"GET {path}: the list does not continue; the same page follows again"
            )
