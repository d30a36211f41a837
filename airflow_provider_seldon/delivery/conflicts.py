"""How conflicts of two writers are dealt with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from airflow_provider_seldon.exceptions import ConflictError

log = logging.getLogger(__name__)

Written = TypeVar("Written")

#: How often it is looked again when somebody else changed a deployment between a read and a write.
CONFLICT_ATTEMPTS = 5


def until_unchanged(name: str, attempt: Callable[[], Written]) -> Written:
    """
    Read, decide and write; do so again where somebody else has written between the read and the write.

    :param name: name of the deployment, for the log.
    :param attempt: reads and decides anew each time it is called.
    :raises ConflictError: other field managers own what is written, or it changes all the time.
    """
    for _ in range(CONFLICT_ATTEMPTS):
        try:
            return attempt()
        except ConflictError as error:
            if error.managers:
                raise
            log.info("%s changed meanwhile; looking again (%s)", name, error)
            conflict = error
    raise conflict
