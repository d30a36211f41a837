"""Check, on the worker, a function that an image will serve."""

from __future__ import annotations

import importlib
import inspect

from airflow_provider_seldon.core.request.function_path import FunctionPath


def function_problem(path: str, *, arguments: int) -> tuple[str, str]:
    """
    Import a function and check whether it can be called.

    :param path: ``package.module:function``.
    :param arguments: number of positional arguments that it will get.
    :returns: why it cannot be checked here, and what is wrong with it; "" for nothing. A module that is not
        installed here, or that needs something that is not, is not wrong: it may be only in the image.
    """
    place = FunctionPath.parse(path)
    try:
        found: object = importlib.import_module(place.module)
    except Exception as error:
        return f"{type(error).__name__}: {error}. It must be in the image.", ""
    for name in place.function.split("."):
        if not hasattr(found, name):
            return "", f"{place.module} has no {place.function}"
        found = getattr(found, name)
    if not callable(found):
        return "", f"{place} is a {type(found).__name__}, not a function"
    try:
        inspect.signature(found).bind(*[None] * arguments)
    except ValueError:
        return "", ""  # a built-in without a signature
    except TypeError as error:
        return (
            "",
            f"{place} cannot be called with {'(model, rows)' if arguments == 2 else '(folder)'}: {error}",
        )
    return "", ""
