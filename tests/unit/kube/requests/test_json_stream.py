from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.kube.requests.json_stream import ListParser

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
items = st.lists(st.dictionaries(st.text(max_size=4), values, max_size=3), max_size=4)
others = st.dictionaries(st.sampled_from(["kind", "apiVersion", "zoo"]), values, max_size=3)


@given(
    items,
    others,
    st.dictionaries(st.sampled_from(["resourceVersion", "continue"]), st.text(max_size=5)),
    st.integers(1, 40),
    st.booleans(),
    st.sampled_from([None, 1]),
    st.randoms(use_true_random=False),
)
def test_every_list_is_read_alike_in_pieces_of_any_size(
    given_items: list[Any],
    other: dict[str, Any],
    metadata: dict[str, str],
    size: int,
    ascii_only: bool,
    indent: Any,
    random: Any,
):
    pairs = [("items", given_items), ("metadata", metadata), *other.items()]
    random.shuffle(pairs)
    data = json.dumps(dict(pairs), ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    parser = ListParser()
    seen = [item for start in range(0, len(data), size) for item in parser.feed(data[start : start + size])]
    assert seen == given_items
    assert parser.metadata == metadata
    assert parser.complete


def test_items_come_before_the_list_is_complete():
    parser = ListParser()
    assert list(parser.feed(b'{"items":[{"a":1},{"b"')) == [{"a": 1}]
    assert not parser.complete
    assert list(parser.feed(b":2}]}")) == [{"b": 2}]
    assert parser.complete


@pytest.mark.parametrize("data", [b"[]", b"<html>", b'{"items" 1}'])
def test_what_is_no_list_is_refused(data: bytes):
    with pytest.raises(ValueError, match="response"):
        list(ListParser().feed(data))


def test_items_that_are_null_are_none():
    parser = ListParser()
    assert list(parser.feed(b'{"items":null,"metadata":{"resourceVersion":"7"}}')) == []
    assert (parser.complete, parser.metadata) == (True, {"resourceVersion": "7"})
