"""The oracle of the histories finds what it is there for, and holds nothing against what is right."""

from __future__ import annotations

from tests.histories.oracle import NOTHING, Answer, Deed, Oracle, Told
from tests.histories.plan import Plan


def oracle() -> Oracle:
    return Oracle({"one": 1, "two": 2})


def answers(version: str, *moments: float) -> list[Answer]:
    return [Answer(moment, version, 503 if version == NOTHING else 200) for moment in moments]


def told(order: int, version: str, at: float, *, tried: float = 0.0) -> Told:
    return Told(order, version, tried, at)


def test_a_version_that_answers_when_it_is_reported_is_right() -> None:
    one = oracle()
    one.told(told(1, "one", 5.0), answers("one", 5.0, 5.1))
    assert one.violations == []


def test_a_version_that_does_not_answer_when_it_is_reported_is_a_violation() -> None:
    for version in ("two", NOTHING):
        one = oracle()
        one.told(told(1, "one", 5.0), [*answers("one", 5.0), *answers(version, 5.1)])
        assert "was told that one serves" in one.violations[0]


def test_a_version_that_served_until_somebody_acted_during_the_last_look_is_right() -> None:
    one = oracle()
    one.answered(answers("one", 4.9)[0])
    one.did(Deed(4.95, 5.0, "edit"))
    one.told(told(1, "one", 5.0), answers("edited", 5.2))
    assert one.violations == []


def test_a_version_that_never_served_is_a_violation_whoever_acts() -> None:
    one = oracle()
    one.answered(answers("two", 4.9)[0])
    one.did(Deed(4.95, 5.0, "edit"))
    one.told(told(1, "one", 5.0), answers("edited", 5.2))
    assert "neither then nor before" in one.violations[0]


def test_what_was_done_before_the_try_began_excuses_nothing() -> None:
    one = oracle()
    one.answered(answers("one", 4.9)[0])
    one.did(Deed(4.95, 5.0, "edit"))
    one.told(told(1, "one", 5.5, tried=5.1), answers("edited", 5.6))
    assert len(one.violations) == 1


def test_an_older_version_after_a_newer_was_proven_is_a_violation_and_a_newer_one_is_not() -> None:
    one = Oracle({"one": 1, "two": 2, "three": 3})
    one.told(told(2, "two", 5.0), answers("two", 5.0))
    one.answered(answers("three", 6.0)[0])
    one.answered(answers("edited", 6.5)[0])
    assert one.violations == []
    one.answered(answers("one", 7.0)[0])
    assert "one answers after two was proven" in one.violations[0]


def test_an_older_version_that_is_reported_long_after_a_newer_one_is_a_violation() -> None:
    one = oracle()
    one.told(told(2, "two", 5.0), answers("two", 5.0))
    one.told(told(1, "one", 9.0, tried=8.9), answers("one", 9.0))
    assert any("long after two was proven" in text for text in one.violations)


def test_whoever_asks_to_go_back_may_get_an_older_version() -> None:
    one = oracle()
    one.told(told(2, "two", 5.0), answers("two", 5.0))
    one.about_to_go_back()
    one.answered(answers("one", 6.0)[0])
    assert one.violations == []


def test_what_was_proven_may_never_be_missing_unless_somebody_takes_it_away() -> None:
    one, other = oracle(), oracle()
    for each in (one, other):
        each.told(told(1, "one", 5.0), answers("one", 5.0))
    one.answered(answers(NOTHING, 6.0)[0])
    other.about_to_take_away(forgets=False)
    other.answered(answers(NOTHING, 6.0)[0])
    assert "is missing" in one.violations[0]
    assert other.violations == []


def test_a_green_that_overlaps_with_somebody_who_takes_it_away_promises_nothing() -> None:
    one = oracle()
    one.answered(answers("one", 4.9)[0])
    one.did(Deed(4.95, 5.0, "stop", takes_away=True))
    one.told(told(1, "one", 5.0), answers("one", 5.0))
    one.answered(answers(NOTHING, 6.0)[0])
    assert one.violations == []


def test_the_same_seed_plans_the_same_histories() -> None:
    assert [Plan.of(1, number) for number in range(20)] == [Plan.of(1, number) for number in range(20)]
    assert Plan.of(1, 1) != Plan.of(2, 1)
