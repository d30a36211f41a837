"""Retries after a conflict between two writers."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_seldon.exceptions import ConflictError

log = logging.getLogger(__name__)

Written = TypeVar("Written")

#: Attempts if another client changes a deployment between a read and a write.
CONFLICT_ATTEMPTS = 5


def until_unchanged(name: str, attempt: Callable[[], Written]) -> Written:
    """
    Read, decide and write; repeat that if another client wrote between the read and the write.

    :param name: name of the deployment, for the log.
    :param attempt: reads and decides again on each call.
    :raises ConflictError: other field managers own the written fields, or the deployment changes all the
        time.
    """
    for _ in range(CONFLICT_ATTEMPTS):
        try:
            return attempt()
        except ConflictError as error:
            if error.managers:
                raise
            log.info("%s changed meanwhile; reading it again (%s)", name, error)
            conflict = error
    raise conflict


def known_then(known: Written, read: Callable[[], Written]) -> Callable[[], Written]:
    """
    Return a function that first returns what was already read, and reads on each further call; for
    :func:`until_unchanged`.

    A generator is not sufficient: the first error of a read, which may be a conflict as well, ends it.
    """
    left = [known]
    return lambda: left.pop() if left else read()
