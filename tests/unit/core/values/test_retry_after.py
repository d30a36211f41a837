"""How long a server asks to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_seldon.core.values.retry_after import LONGEST_RETRY_AFTER, retry_after

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("0.5", 0.5),
        ("3600", LONGEST_RETRY_AFTER),
        ("inf", LONGEST_RETRY_AFTER),
        ("1e999", LONGEST_RETRY_AFTER),
        ("nan", None),
        ("-1", None),
        ("-inf", None),
        ("", None),
        ("soon", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Mon, 99 Foo 2026", None),
    ],
)
def test_retry_after_is_a_number_within_the_documented_bound(value: str, seconds: float | None):
    assert retry_after(value, now=NOW) == seconds


def test_retry_after_may_be_a_date():
    date = format_datetime(datetime.fromtimestamp(NOW + 20, UTC), usegmt=True)
    assert retry_after(date, now=NOW) == 20


@given(
    st.text(max_size=30)
    | st.floats()
    | st.integers()
    | st.none()
    | st.booleans()
    | st.lists(st.integers(), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.integers(), max_size=2)
)
def test_retry_after_is_bounded_whatever_it_says(value: Any):
    for said in (value, str(value)):
        found = retry_after(said, now=NOW)
        assert found is None or (math.isfinite(found) and 0 <= found <= LONGEST_RETRY_AFTER)
