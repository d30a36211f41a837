"""Get and list: selectors, resource version rules, and pages that stay consistent while objects change.

Purpose: "Resource versions" and "Retrieving large results sets in chunks" of the Kubernetes API concepts. A page's
continue token names the resource version of the first page and the last key; the next page is taken from the state
at that version, until that part of the history is compacted (410).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from airflow_provider_seldon.local.apiserver.objects.store import Key, Manifest, Store, Stored, encode
from airflow_provider_seldon.local.apiserver.protocol import status
from airflow_provider_seldon.local.apiserver.protocol.request import RequestInfo, invalid_option
from airflow_provider_seldon.local.apiserver.reads.selectors import FieldSelector, LabelSelector

_CONTINUE_EXPIRED = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new "
    "list without the continue parameter, or use the continue token in this response to retrieve the "
    "remainder of the results. Continuing with the provided token results in an inconsistent list - "
    "objects that were created, modified, or deleted between the time the first chunk was returned and now "
    "may show up in the list."
)
_LATEST = -1


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The label and field selector of a request."""

    labels: LabelSelector
    fields: FieldSelector

    @classmethod
    def of(cls, info: RequestInfo) -> Selection:
        """
        Parse the selectors of a request.

        :raises StatusError: 400 for invalid ones.
        """
        fields = info.query.get("fieldSelector", "")
        if info.name:
            fields = ",".join(filter(None, (fields, f"metadata.name={info.name}")))
        return cls(
            labels=LabelSelector(info.query.get("labelSelector", "")),
            fields=FieldSelector(info.resource, fields),
        )

    def matches(self, stored: Stored) -> bool:
        """Return whether an object is selected."""
        manifest = stored.manifest
        return self.fields.matches(manifest) and self.labels.matches(manifest)

    def __bool__(self) -> bool:
        return bool(self.labels) or bool(self.fields)


@dataclass(frozen=True, kw_only=True)
class Page:
    """
    One page of a list.

    :param items: The objects.
    :param revision: Resource version of the list.
    :param continue_token: For the next page; empty on the last one.
    :param remaining: Number of objects after this page; ``None`` when unknown (with selectors) or none.
    """

    items: Sequence[Stored]
    revision: int
    continue_token: str = ""
    remaining: int | None = None

    def metadata(self) -> dict[str, Any]:
        """Return the list's metadata."""
        metadata: dict[str, Any] = {}
        if self.continue_token:
            metadata["continue"] = self.continue_token
            if self.remaining is not None:
                metadata["remainingItemCount"] = self.remaining
        return metadata | {"resourceVersion": str(self.revision)}


class Reader:
    """Handles get and list from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, info: RequestInfo) -> Stored:
        """
        Return one object.

        :raises StatusError: 404 when it does not exist.
        """
        self._check_not_future(info.revision() or 0)
        found = self._store.get(info.resource, info.namespace, info.name)
        if found is None:
            raise info.not_found()
        return found

    def list(self, info: RequestInfo) -> Page:
        """
        Return the selected objects, or one page of them.

        :raises StatusError: 400, 410, 422 or 504 for invalid or unsupported parameters.
        """
        selection = Selection.of(info)
        limit = info.number("limit") or 0
        revision, after = self._position(info)
        candidates = self._candidates(info, revision, selection)
        if after is not None:
            candidates = (stored for stored in candidates if stored.key > after)
        selected = candidates if not selection else (s for s in candidates if selection.matches(s))
        listed_at = self._store.revision if revision == _LATEST else revision
        if limit <= 0:
            return Page(items=list(selected), revision=listed_at)
        items = list(islice(selected, limit))
        rest = sum(1 for _ in selected) if not selection else int(next(iter(selected), None) is not None)
        if not rest:
            return Page(items=items, revision=listed_at)
        return Page(
            items=items,
            revision=listed_at,
            continue_token=_token(listed_at, items[-1].key),
            remaining=None if selection else rest,
        )

    def _candidates(self, info: RequestInfo, revision: int, selection: Selection) -> Iterator[Stored]:
        namespace = info.namespace or selection.fields.exact("metadata.namespace") or None
        name = selection.fields.exact("metadata.name")
        if revision != _LATEST:
            return self._store.list_at(info.resource, namespace, revision)
        if name is not None and (namespace or not info.resource.namespaced):
            found = self._store.get(info.resource, namespace or "", name)
            return iter((found,) if found else ())
        return self._store.list(info.resource, namespace)

    def _position(self, info: RequestInfo) -> tuple[int, Key | None]:
        """Return the resource version of the list, and the key after which it starts."""
        match = info.query.get("resourceVersionMatch", "")
        token = info.query.get("continue", "")
        requested = info.query.get("resourceVersion", "")
        self._check_match(match, token, requested)
        if token:
            position = self._resume(info, token)
            if requested not in ("", "0"):
                raise status.bad_request("specifying resource version is not allowed when using continue")
            return position
        revision = info.revision() or 0
        self._check_not_future(revision)
        if match == "Exact":
            return revision, None
        return _LATEST, None

    def _check_match(self, match: str, token: str, requested: str) -> None:
        if not match:
            return
        field, kind = "resourceVersionMatch", "ListOptions"
        if token:
            raise invalid_option(
                kind, field, "Forbidden: resourceVersionMatch is forbidden when continue is provided"
            )
        if not requested:
            raise invalid_option(
                kind, field, "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"
            )
        if match not in ("Exact", "NotOlderThan"):
            raise invalid_option(
                kind, field, f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan", ""'
            )
        if match == "Exact" and requested == "0":
            raise invalid_option(
                kind, field, 'Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
            )

    def _resume(self, info: RequestInfo, token: str) -> tuple[int, Key]:
        revision, key = _read_token(token)
        if revision != _LATEST and revision < self._store.collection(info.resource).compacted:
            raise status.expired(_CONTINUE_EXPIRED, continue_token=_token(_LATEST, key))
        return revision, key

    def _check_not_future(self, revision: int) -> None:
        if revision > self._store.revision:
            raise status.resource_version_too_large(requested=revision, current=self._store.revision)


def _token(revision: int, key: Key) -> str:
    data = encode({"v": "meta.k8s.io/v1", "rv": revision, "start": "/".join(key) + "\u0000"})
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read_token(token: str) -> tuple[int, Key]:
    try:
        data = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, _, name = str(data["start"]).rstrip("\u0000").rpartition("/")
        return int(data["rv"]), (namespace, name)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise status.bad_request(f"invalid continue token: continue key is not valid: {error}") from None


def list_body(info: RequestInfo, page: Page) -> bytes:
    """Return the JSON of a list, made from the items' cached JSON."""
    head: Manifest = {
        "apiVersion": info.api_version,
        "kind": f"{info.resource.kind}List",
        "metadata": page.metadata(),
    }
    if info.resource.custom:
        head["metadata"].setdefault("continue", "")
        items = b",".join(stored.encoded(info.version) for stored in page.items)
    else:
        items = b",".join(stored.encoded_item() for stored in page.items)
    return encode(head)[:-1] + b',"items":[' + items + b"]}"
