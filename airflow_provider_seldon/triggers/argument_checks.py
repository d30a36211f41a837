"""Check the arguments of operators, sensors and triggers, when a DAG is parsed and when its task runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from airflow_provider_seldon.core.invalid_request import InvalidRequestError
from airflow_provider_seldon.core.request.argument_rules import Rule, check
from airflow_provider_seldon.exceptions import InvalidModelServerError

#: Arguments that share their name with a method of every operator.
_ATTRIBUTES = {"dry_run": "is_dry_run", "on_kill": "kill_action"}


class CheckedArguments:
    """Mixin of all classes that take arguments from a DAG file. Each argument is an attribute."""

    #: Name of an argument -> rule for its value.
    rules: ClassVar[Mapping[str, Rule]] = MappingProxyType({})

    def check_literals(self) -> None:
        """
        Check the arguments that are known when the DAG is parsed: no templates, no XComs. Each constructor
        calls this last.

        :raises InvalidModelServerError: names each argument and the fix.
        """
        self._check_given(parsing=True)

    def check_arguments(self) -> None:
        """
        Check all arguments, with templates rendered. Called before anything is sent.

        :raises InvalidModelServerError: names each argument and the fix.
        """
        self._check_given(parsing=False)

    def _check_given(self, *, parsing: bool) -> None:
        present = vars(self)
        names = {name: _ATTRIBUTES.get(name, name) for name in self.rules}
        given = {name: present[attribute] for name, attribute in names.items() if attribute in present}
        for name, value in checked(type(self).__name__, given, self.rules, parsing=parsing).items():
            if value is not given[name]:
                setattr(self, names[name], value)


def checked(
    where: str, given: Mapping[str, Any], rules: Mapping[str, Rule], *, parsing: bool = False
) -> dict[str, Any]:
    """
    Return the arguments as the code uses them; see ``core.request.argument_rules.check``.

    :param where: name of their owner, for the error.
    :raises InvalidModelServerError: names each argument and the fix.
    """
    try:
        return check(given, rules, parsing=parsing)
    except InvalidRequestError as error:
        raise InvalidModelServerError.of(where, error) from None
