"""Writes that are decided again when another client has changed the deployment."""

from __future__ import annotations

import pytest

from airflow_provider_seldon.delivery.conflicts import CONFLICT_ATTEMPTS, known_then, until_unchanged
from airflow_provider_seldon.exceptions import ConflictError


def test_what_was_read_already_is_tried_first_and_then_read_anew() -> None:
    look = known_then("known", iter(["second", "third"]).__next__)
    assert [look() for _ in range(3)] == ["known", "second", "third"]


def test_a_conflict_of_a_read_is_no_end_to_reading() -> None:
    reads = 0

    def read() -> str:
        nonlocal reads
        reads += 1
        if reads < 3:
            raise ConflictError("the read was answered with 409")
        return "read"

    def attempt() -> str:
        found = look()
        if found == "known":
            raise ConflictError("written meanwhile")
        return found

    look = known_then("known", read)
    assert until_unchanged("iris", attempt) == "read"
    assert reads == 3


def test_conflicts_without_end_are_raised() -> None:
    tries: list[int] = []

    def attempt() -> None:
        tries.append(1)
        raise ConflictError("again")

    with pytest.raises(ConflictError, match="again"):
        until_unchanged("iris", attempt)
    assert len(tries) == CONFLICT_ATTEMPTS
