"""
Is the difference between two sides more than chance? One-sided tests, stratified by step.

A canary's steps have different weights, and the world's error rate changes between them. So the steps are strata:
within each, both sides served at the same time, and only what differs there counts (Cochran, Mantel and Haenszel for
rates, van Elteren for durations). Standard library only.

It knows no limits: whether a significant difference matters is decided in ``assessment``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from airflow_provider_seldon.core.analysis.samples import Histogram, Requests

#: Above this variance of the candidate's errors the normal distribution is close enough, and an exact one is slow.
_EXACT_UP_TO = 400.0


def more_errors(strata: Iterable[tuple[Requests, Requests]]) -> float:
    """
    Return the probability of at least as many errors of the candidate as were seen, if both sides err equally.

    Fisher's exact test, for several strata the exact distribution of the summed errors; it errs on the careful side, so
    equal versions are told apart in fewer cases than the level that a caller compares the result with.

    :param strata: candidate and baseline of each step. Sides without requests add nothing.
    :returns: between 0 and 1; 1.0 where nothing can be compared.
    """
    tables = []
    for candidate, baseline in strata:
        (n1, e1), (n2, e2) = candidate.whole(), baseline.whole()
        if n1 and n2:
            tables.append((n1, e1, n2, e2))
    seen = sum(e1 for _, e1, _, _ in tables)
    variance = sum(_variance(*table) for table in tables)
    if not variance:
        return 1.0
    if variance > _EXACT_UP_TO:
        expected = sum(n1 * (e1 + e2) / (n1 + n2) for n1, e1, n2, e2 in tables)
        return _upper_tail((seen - 0.5 - expected) / math.sqrt(variance))
    lowest, chances = 0, [1.0]
    for n1, e1, n2, e2 in tables:
        low, more = _hypergeometric(n1, n2, e1 + e2)
        lowest, chances = lowest + low, _convolved(chances, more)
    return min(1.0, math.fsum(chances[seen - lowest :]))


def in_common_buckets(candidate: Histogram, baseline: Histogram) -> tuple[Histogram, Histogram] | None:
    """Return both sides in the buckets that both have; None if only the infinite one is in common."""
    if candidate.bounds == baseline.bounds:
        return candidate, baseline
    bounds = sorted(set(candidate.bounds) & set(baseline.bounds))
    if len(bounds) < 2 or not math.isinf(bounds[-1]):
        return None
    return candidate.of_bounds(bounds), baseline.of_bounds(bounds)


def more_above(strata: Iterable[tuple[Histogram, Histogram]], bound: float) -> float:
    """
    Return the probability of at least as many slow requests of the candidate as were seen, if both are equal.

    :func:`slower` compares all requests, and hardly notices a few that are slower by far. This one counts them.

    :param strata: candidate and baseline of each step, with the same buckets in both.
    :param bound: seconds above which a request counts as slow; the next bound of each step's buckets is taken.
    :returns: between 0 and 1; 1.0 where no finite bound is as large.
    """
    tables = []
    for pair in strata:
        at = next((one for one in pair[0].bounds if one >= bound), math.inf)
        if not math.isinf(at):
            candidate, baseline = (Requests(total=one.total, errors=one.above(at)) for one in pair)
            tables.append((candidate, baseline))
    return more_errors(tables)


def slower(strata: Iterable[tuple[Histogram, Histogram]]) -> tuple[float, float]:
    """
    Compare durations bucket by bucket: Mann and Whitney's test with its correction for ties.

    :param strata: candidate and baseline of each step, with the same buckets in both.
    :returns: the probability of a candidate at least as slow as was seen if both are equal (1.0 where nothing can be
        compared), and the chance that a request of the candidate is slower than one of the baseline (0.5 when equal).
    """
    score = expected = variance = pairs = wins = 0.0
    for candidate, baseline in strata:
        n1, n2 = candidate.total, baseline.total
        if candidate.bounds != baseline.bounds or n1 < 1 or n2 < 1:
            continue
        below = u = ties = 0.0
        for mine, theirs in zip(candidate.counts, baseline.counts, strict=True):
            u += mine * (below + theirs / 2)
            below += theirs
            ties += (mine + theirs) ** 3 - (mine + theirs)
        n = n1 + n2
        # Each step counts by the information in it, not by the square of its requests (van Elteren).
        weight = 1 / (n + 1)
        score += weight * u
        expected += weight * n1 * n2 / 2
        variance += weight**2 * n1 * n2 / 12 * (n + 1 - ties / (n * (n - 1)))
        wins, pairs = wins + u, pairs + n1 * n2
    if variance <= 0:
        return 1.0, wins / pairs if pairs else 0.5
    return _upper_tail((score - expected) / math.sqrt(variance)), wins / pairs


def errs_more_often_than(rate: float, requests: Requests) -> float:
    """
    Return the probability of at least the errors that were seen, if the true rate is ``rate`` (exact, binomial).

    :param rate: between 0 and 1.
    """
    total, errors = requests.whole()
    if not errors or rate >= 1:
        return 1.0
    if rate <= 0:
        return 0.0
    return min(1.0, 1.0 - math.fsum(_binomial(total, k, rate) for k in range(errors)))


def spent(level: float, look: int, looks: int) -> float:
    """
    Return which part of a level of significance a look may spend, so that all of them together stay below it.

    Early looks get little, the last one most: the cube of the share of looks, as in group sequential trials.

    :param look: number of this look, from 1.
    :param looks: how many there will be.
    """
    looks = max(look, looks)
    part: float = (look / looks) ** 3 - ((look - 1) / looks) ** 3
    return level * part


def _variance(n1: int, e1: int, n2: int, e2: int) -> float:
    n, errors = n1 + n2, e1 + e2
    return n1 * n2 * errors * (n - errors) / (n * n * (n - 1)) if n > 1 else 0.0


def _hypergeometric(n1: int, n2: int, errors: int) -> tuple[int, list[float]]:
    """Return the smallest number of the candidate's errors, and the chance of it and each larger one."""
    low, high = max(0, errors - n2), min(n1, errors)
    whole = _log_choose(n1 + n2, errors)
    return low, [
        math.exp(_log_choose(n1, k) + _log_choose(n2, errors - k) - whole) for k in range(low, high + 1)
    ]


def _convolved(one: Sequence[float], other: Sequence[float]) -> list[float]:
    found = [0.0] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        if a > 1e-15:
            for j, b in enumerate(other):
                found[i + j] += a * b
    return found


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def _binomial(n: int, k: int, p: float) -> float:
    return math.exp(_log_choose(n, k) + k * math.log(p) + (n - k) * math.log1p(-p))


def _upper_tail(z: float) -> float:
    return 0.5 * math.erfc(z / math.sqrt(2))
