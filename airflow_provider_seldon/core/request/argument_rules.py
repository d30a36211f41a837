"""
Valid values of each argument of operators, sensors, triggers and the hook: one table, by the argument's name.

An argument's name has the same meaning everywhere, so its rule is here once. A rule reads a value: it returns
the value that the code uses (a ``timedelta`` as seconds, rendered text as its number), or reports the problem
and the fix. Combinations of arguments, and the content of a manifest or a model server, are checked where
they are combined (``argument_problems``, ``spec``, ``user_manifest``).

A DAG file imports this module, so heavier modules are imported only on use, and rules that need them are
``late``: they are applied when the task runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from airflow_provider_seldon.core.canary import arguments as canary
from airflow_provider_seldon.core.invalid_request import InvalidRequestError, Problem
from airflow_provider_seldon.core.request import argument_readers
from airflow_provider_seldon.core.values import readers
from airflow_provider_seldon.core.values.readers import WrongValueError

_TEMPLATE = re.compile(r"\{\{|\{%|\{#")


@dataclass(frozen=True)
class Rule:
    """
    Rule for the value of an argument.

    :param read: returns the value to use; raises ``WrongValueError`` or ``InvalidRequestError``.
    :param optional: None, and empty text as a template may render to, mean "not given".
    :param late: applied when the task runs, not when its DAG is parsed.
    """

    read: Callable[[Any], Any]
    optional: bool = False
    late: bool = False

    def __call__(self, value: Any) -> Any:
        """Return the value to use."""
        if self.optional and (value is None or (isinstance(value, str) and not value)):
            return value
        return self.read(value)


def is_template(value: Any, depth: int = 20) -> bool:
    """Return whether a value is known only when the task runs: a template, an XCom, or one in a container."""
    if isinstance(value, str):
        return bool(_TEMPLATE.search(value))
    if isinstance(value, Mapping | list | tuple | set):
        items = value.values() if isinstance(value, Mapping) else value
        return depth > 0 and any(is_template(item, depth - 1) for item in items)
    return hasattr(value, "resolve") and not isinstance(value, type)


def check(given: Mapping[str, Any], rules: Mapping[str, Rule], *, parsing: bool = False) -> dict[str, Any]:
    """
    Return the arguments as the code uses them.

    :param given: name -> value; one without a rule stays as it is.
    :param rules: name -> rule.
    :param parsing: skip values that are known only when the task runs.
    :raises InvalidRequestError: names each wrong argument and the fix.
    """
    problems: list[Problem] = []
    read: dict[str, Any] = {}
    for name, value in given.items():
        rule = rules.get(name)
        if rule is None or (parsing and (rule.late or is_template(value))):
            read[name] = value
            continue
        try:
            read[name] = rule(value)
        except WrongValueError as wrong:
            problems.append(Problem(name, str(wrong), wrong.fix, value=wrong.shown))
        except InvalidRequestError as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidRequestError(problems)
    return read


def of(*names: str, **own: Rule) -> dict[str, Rule]:
    """Return the rules of arguments: ``names`` from the table, and ``own`` ones."""
    return {**{name: RULES[name] for name in names}, **own}


def optional(rule: Rule) -> Rule:
    """Return a rule for an argument that may be omitted."""
    return replace(rule, optional=True)


def needed(rule: Rule) -> Rule:
    """Return a rule for an argument that must be given."""
    return replace(rule, optional=False)


TEXT = Rule(readers.text)
OPTIONAL_TEXT = Rule(readers.text, optional=True)
NAME = Rule(readers.object_name)
FLAG = Rule(readers.flag)
PLAIN_MAPPING = Rule(readers.mapping)
MAPPING = Rule(readers.mapping, optional=True, late=True)
SECONDS = Rule(lambda value: readers.seconds(value, 0.0))
REPLICAS_OR_CONFIGURED = Rule(readers.scale)
ANYTHING = Rule(readers.anything)


def word(*valid: str) -> Rule:
    """Return the rule of an argument with a fixed set of words."""
    return Rule(readers.one_word_of(*valid))


def whole(least: int, *, optional: bool = True) -> Rule:
    """Return the rule of a whole number of at least ``least``."""
    return Rule(lambda value: readers.whole(value, least, readers.MOST_REPLICAS), optional=optional)


#: Name of an argument -> its rule. If it is required where it is optional here, or has another meaning, the
#: class has its own rule.
RULES: Mapping[str, Rule] = MappingProxyType(
    {
        # the deployment and its place
        "name": replace(NAME, optional=True),
        "namespace": Rule(readers.namespace, optional=True),
        "seldon_conn_id": TEXT,
        "model_name": OPTIONAL_TEXT,
        "dag_id_of_deployer": OPTIONAL_TEXT,
        "task_id_of_deployer": OPTIONAL_TEXT,
        "run_id_of_deployer": OPTIONAL_TEXT,
        "dag_id": OPTIONAL_TEXT,
        "task_id": OPTIONAL_TEXT,
        "run_id": OPTIONAL_TEXT,
        # the model server
        "model_uri": OPTIONAL_TEXT,
        "implementation": OPTIONAL_TEXT,
        "protocol": replace(word("seldon", "v2", "kfserving", "tensorflow"), optional=True),
        "replicas": Rule(readers.replicas, optional=True),
        "model_server": MAPPING,
        "manifest": Rule(readers.manifest, optional=True, late=True),
        "image": TEXT,
        "predict_function": TEXT,
        "load_function": OPTIONAL_TEXT,
        "env": Rule(readers.environment, optional=True, late=True),
        "container_resources": MAPPING,
        "image_pull_secrets": Rule(readers.texts),
        "ports": Rule(readers.mappings),
        "probes": Rule(readers.probes, optional=True),
        "startup_timeout": Rule(lambda value: readers.seconds(value, 1.0)),
        "python": TEXT,
        # decisions; ``core.rollout.decision`` reads a decision when it evaluates it, before anything is
        # written
        "deploy_decision": ANYTHING,
        "deploy": ANYTHING,
        "on_negative": word("ensure_running", "keep", "skip", "fail"),
        "on_negative_empty": word("deploy", "skip", "fail"),
        "on_failure": word("rollback", "keep", "delete_if_created"),
        "on_stale": word("skip", "fail", "deploy"),
        "on_kill": word("keep", "rollback", "delete"),
        "metrics": Rule(argument_readers.metrics, optional=True, late=True),
        "smoke_test": Rule(argument_readers.smoke_test, optional=True, late=True),
        "failure_policy": Rule(argument_readers.failure_policy, optional=True),
        "to": TEXT,
        **dict.fromkeys(
            (
                *("replace", "force_conflicts", "dry_run", "wait_for_available", "deferrable"),
                *("managed_only", "wait_for_deletion", "wait", "start_from_trigger", "fence", "retry"),
                *("promote", "any_run"),
                *("delete_created", "running", "follow", "drop_unknown_fields"),
            ),
            FLAG,
        ),
        "adopt": Rule(readers.adoption),
        # canaries
        "steps": Rule(canary.steps),
        "bake": Rule(canary.bake),
        "analysis": Rule(canary.analysis),
        "skip_analysis": Rule(canary.yes_or_no),
        "hold_at": Rule(canary.hold_at, optional=True),
        "prometheus_conn_id": OPTIONAL_TEXT,
        # times
        "timeout": SECONDS,
        "poke_interval": SECONDS,
        "request_timeout": Rule(lambda value: readers.seconds(value, 0.001)),
        "retry_for": SECONDS,
        "grace": SECONDS,
        "patience": SECONDS,
        "hold_for": SECONDS,
        "window": Rule(lambda value: readers.seconds(value, 1.0)),
        "orphans": word("report", "delete", "ignore"),
        "airflow_conn_id": OPTIONAL_TEXT,
        "ttl": Rule(lambda value: readers.seconds(value, 1.0), optional=True),
        "look_interval": Rule(lambda value: readers.seconds(value, 0.05)),
        "deadline": Rule(readers.finite),
        # predictions
        "data": Rule(argument_readers.data, late=True),
        "expected": Rule(argument_readers.expected, optional=True, late=True),
        "tolerance": Rule(readers.tolerance),
        "path": Rule(readers.path, optional=True),
        "events": Rule(readers.words_of("event", "failed", "degraded", "available")),
        # staging
        "source": TEXT,
        "target": TEXT,
        "version": whole(1),
        "served_from": OPTIONAL_TEXT,
        "keep": whole(1),
        "source_conn_id": OPTIONAL_TEXT,
        "target_conn_id": OPTIONAL_TEXT,
        # the hook's own
        "labels": optional(PLAIN_MAPPING),
        "action": Rule(readers.anything),
        "by": Rule(readers.anything),
        "container": OPTIONAL_TEXT,
        "tail": whole(0),
    }
)
