"""How triggers are stored in Airflow's database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def serialized(trigger: object, arguments: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """
    Return class path and arguments of a trigger, for its ``serialize``.

    Arguments that are not set are left out, so that a release with more arguments stays compatible with
    earlier ones.

    :param trigger: the trigger; it has each argument as an attribute.
    :param arguments: names of the constructor's arguments.
    """
    given = {name: getattr(trigger, name) for name in arguments}
    return (
        f"{type(trigger).__module__}.{type(trigger).__qualname__}",
        {
            name: dict(value) if isinstance(value, Mapping) else value
            for name, value in given.items()
            if value is not None
        },
    )
