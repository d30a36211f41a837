"""The oracle of the canaries finds what it is there for, and holds nothing against what is right."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.canaries.oracle import IN_A_ROW, LEASE, End, Oracle, uri
from tests.canaries.plan import CANDIDATES, EVENTS, Plan
from tests.canaries.traffic import ERROR, NOTHING, Answer

BASELINE, CANDIDATE = uri("baseline"), uri("candidate")
QUIET = dataclasses.replace(
    Plan.of(0, 0), candidate="good", event="nothing", fate="led", kills=(), faults=(), shadow=False
)


def oracle(**of_plan: Any) -> Oracle:
    return Oracle(dataclasses.replace(QUIET, **of_plan))


def answers(version: str, count: int = 1) -> list[Answer]:
    return [Answer(1.0, version)] * count


def ended(one: Oracle, how: str, version: str, *, who: str = "canary") -> Oracle:
    one.told(End(2.0, who, how), answers(version, 6))
    return one


def test_a_good_candidate_that_is_promoted_and_a_bad_one_that_is_aborted_are_right() -> None:
    for one, how, version in (
        (oracle(), "promoted", CANDIDATE),
        (oracle(candidate="errs"), "aborted", BASELINE),
    ):
        ended(one, how, version).left(3.0, "{}", reaped=False)
        one.left(3.0, "{}", reaped=True)
        one.serves_finally(4.0, answers(version, 12))
        assert one.violations == []


def test_a_bad_candidate_or_one_without_traffic_that_is_promoted_is_a_wrong_end() -> None:
    bad = [{"candidate": name} for name in CANDIDATES if name != "good"] + [{"event": "no traffic"}]
    for plan in bad:
        assert "is promoted" in ended(oracle(**plan), "promoted", CANDIDATE).violations[0]


def test_a_good_candidate_that_is_not_promoted_is_a_wrong_end_unless_somebody_stood_in_the_way() -> None:
    for event in EVENTS:
        one = ended(oracle(event=event), "aborted", BASELINE)
        one.serves_finally(4.0, answers(BASELINE, 12))
        excused = event in {"no traffic", "newer run", "baseline crashes"}
        assert bool(one.violations) is not excused, event


def test_requests_that_nothing_answers_are_a_wrong_end_unless_they_were_ordered() -> None:
    for plan, count in (({}, 1), ({"candidate": "crashes later"}, 0), ({"event": "baseline crashes"}, 0)):
        one = oracle(**plan)
        one.answered(answers(NOTHING)[0])
        assert len(one.violations) == count


def test_an_error_that_was_not_ordered_is_a_wrong_end() -> None:
    for candidate, count in (("good", 1), ("errs", 0)):
        one = oracle(candidate=candidate)
        one.answered(answers(ERROR)[0])
        assert len(one.violations) == count


def test_a_bad_candidate_that_gets_more_than_its_part_is_a_wrong_end() -> None:
    for part, count in ((IN_A_ROW // 2, 0), (IN_A_ROW - 5, 1)):
        one = oracle(candidate="errs")
        for answer in [*answers(BASELINE, IN_A_ROW - part), *answers(ERROR, part)]:
            one.answered(answer)
        assert len(one.violations) == count


def test_an_end_that_is_reported_while_something_else_answers_is_wrong() -> None:
    assert "but answers" in ended(oracle(), "promoted", BASELINE).violations[0]
    assert "but answers" in ended(oracle(candidate="errs"), "aborted", NOTHING).violations[0]


def test_a_lease_that_is_left_is_a_wrong_end_and_one_of_a_killed_run_only_after_the_reaper() -> None:
    for how, reaped, count in (
        ("aborted", False, 1),
        ("killed", False, 0),
        ("held", False, 0),
        ("killed", True, 1),
    ):
        one = ended(oracle(), how, BASELINE)
        one.left(3.0, f'{{"{LEASE}": "..."}}', reaped=reaped)
        assert len(one.violations) == count, how


def test_in_the_end_one_version_answers_that_may() -> None:
    for candidate, versions, count in (
        ("errs", [BASELINE], 0),
        ("errs", [CANDIDATE], 1),
        ("errs", [BASELINE, CANDIDATE], 1),
    ):
        one = ended(oracle(candidate=candidate, fate="abandoned"), "killed", BASELINE)
        one.serves_finally(4.0, [answer for version in versions for answer in answers(version, 6)])
        assert len(one.violations) == count


def test_what_a_newer_run_has_deployed_serves_in_the_end() -> None:
    for version, count in ((uri("newer run"), 0), (CANDIDATE, 1)):
        one = oracle(event="newer run")
        one.began("newer run", 1.5)
        ended(ended(one, "replaced", BASELINE), "deployed", uri("newer run"), who="newer run")
        one.serves_finally(4.0, answers(version, 12))
        assert len(one.violations) == count


def test_plans_hold_every_kind_and_the_same_seed_makes_the_same_one() -> None:
    plans = [Plan.of(1, number) for number in range(200)]
    assert {plan.candidate for plan in plans} == set(CANDIDATES)
    assert {plan.event for plan in plans} == set(EVENTS)
    assert sum(plan.clear for plan in plans) > 20
    assert Plan.of(1, 7) == plans[7]
