"""
How long a server asks to wait before the next request: ``Retry-After``, and what the API server's ``Status`` repeats.

Each caller decides on its pause if the server requests none. No I/O.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import Any

#: The longest wait that is heeded, in seconds.
LONGEST_RETRY_AFTER = 60.0


def retry_after(value: Any, *, now: float) -> float | None:
    """
    Return for how many seconds the server asks to wait, at most ``LONGEST_RETRY_AFTER``; None when it does not say.

    :param value: seconds, as a number or text, or a date (RFC 9110, section 10.2.3). What is neither, or lies in the
        past, says nothing.
    :param now: the time, in epoch seconds.
    """
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = _seconds_until(value, now)
    if math.isnan(seconds) or seconds < 0:
        return None
    return min(seconds, LONGEST_RETRY_AFTER)


def _seconds_until(date: Any, now: float) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - now
    except (TypeError, ValueError, OverflowError, AttributeError):
        return math.nan
