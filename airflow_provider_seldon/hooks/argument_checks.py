"""Check the arguments of the hook's methods before anything is sent."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec, TypeVar

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.argument_rules import RULES, Rule, check
from airflow_provider_seldon.core.values.readers import WrongValueError
from airflow_provider_seldon.exceptions import InvalidModelServerError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def checked(**own: Rule) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """
    Return a decorator that checks a method's arguments before the call.

    :param own: rules of arguments that are missing from the table in ``core.request.argument_rules``, or have
        another meaning here.
    """

    def decorate(method: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        signature = inspect.signature(method)
        named = [name for name, one in signature.parameters.items() if one.kind is not one.VAR_KEYWORD]
        rules: Mapping[str, Rule] = {name: own.get(name) or RULES[name] for name in named if name != "self"}

        @wraps(method)
        def call(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            bound = signature.bind(*args, **kwargs)
            given = {name: value for name, value in bound.arguments.items() if name in rules}
            try:
                bound.arguments |= check(given, rules)
            except InvalidRequestError as error:
                where = f"{type(bound.arguments['self']).__name__}.{method.__name__}"
                raise InvalidModelServerError.of(where, error) from None
            return method(*bound.args, **bound.kwargs)

        return call

    return decorate


def instance(*kinds: type, optional: bool = False) -> Rule:
    """Return the rule of an argument that is an instance of one of some classes."""
    names = " or ".join(kind.__name__ for kind in kinds)

    def read(value: object) -> object:
        if not isinstance(value, kinds):
            raise WrongValueError(f"is a {type(value).__name__}", f"give a {names}")
        return value

    return Rule(read, optional=optional)
