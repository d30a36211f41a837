"""The page of reasons has each word that the package can give as one, and no other; every error names its own."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from airflow_provider_seldon.core.readiness.outcome import Ending, Outcome
from airflow_provider_seldon.core.resource.status import DeploymentState
from airflow_provider_seldon.delivery.waiting.wait import raise_for
from airflow_provider_seldon.exceptions import RolloutError

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "airflow_provider_seldon"
PAGE = ROOT / "docs" / "reasons.md"
#: A reason is one word; sentences are called so too, in plans and decisions.
WORD = re.compile(r"[A-Z][A-Za-z]+")
#: Part of an f-string -> what it can be there.
FIELDS = {"state.value": [state.value for state in DeploymentState if state is not DeploymentState.AVAILABLE]}


def words(node: ast.expr) -> Iterator[str]:
    """Yield the words that an expression can be, as far as they are written in it."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from [node.value] if WORD.fullmatch(node.value) else []
    elif isinstance(node, ast.IfExp):
        yield from (*words(node.body), *words(node.orelse))
    elif isinstance(node, ast.BoolOp):
        yield from (word for one in node.values for word in words(one))
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "str":
        yield from words(node.args[0])
    elif isinstance(node, ast.JoinedStr):
        yield from _filled(node)


def _filled(node: ast.JoinedStr) -> Iterator[str]:
    match node.values:
        case [ast.Constant(value=str(start)), ast.FormattedValue(value=value)] if WORD.fullmatch(start):
            yield from (start + one for one in FIELDS[ast.unparse(value)])


def given(tree: ast.AST, *, judges: bool) -> Iterator[ast.expr]:
    """
    Yield each expression that is given as a reason.

    :param judges: whether the file judges deployments: there, a pair that is returned is a reason and a sentence, and
        what a reason is compared with is one too.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (one.value for one in node.keywords if one.arg == "reason")
            yield from node.args[:1] if ast.unparse(node.func) == "_pending" else []
        elif isinstance(node, ast.AnnAssign) and ast.unparse(node.target) == "DEFAULT_WAITING":
            assert isinstance(node.value, ast.Dict)
            yield from (key for key in node.value.keys if key is not None)
        elif judges and isinstance(node, ast.Return):
            ways = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            yield from (one.elts[0] for one in ways if isinstance(one, ast.Tuple) and len(one.elts) == 2)
        elif judges and isinstance(node, ast.Compare) and "reason" in ast.unparse(node.left):
            yield from node.comparators


def reasons_of(source: str, *, judges: bool = True) -> set[str]:
    """Return the reasons that a source can give."""
    return {word for one in given(ast.parse(source), judges=judges) for word in words(one)}


@functools.cache
def sources() -> Mapping[tuple[str, ...], str]:
    """Return the package's files, without what plays Kubernetes and what runs in a model's container."""
    files = {file.relative_to(PACKAGE).parts: file for file in PACKAGE.rglob("*.py")}
    return {parts: file.read_text() for parts, file in files.items() if parts[0] not in {"local", "serving"}}


@functools.cache
def reasons() -> frozenset[str]:
    """Return the reasons of the package."""
    found = (reasons_of(text, judges=parts[:2] == ("core", "readiness")) for parts, text in sources().items())
    return frozenset().union(*found)


def test_each_reason_of_the_package_has_one_line_and_one_anchor_on_the_page() -> None:
    anchors = re.findall(r'^\| <a id="(\w+)"></a>`(\w+)` \| \S', PAGE.read_text(), re.MULTILINE)
    assert [anchor for anchor, shown in anchors if anchor != shown] == []
    names = [anchor for anchor, _ in anchors]
    assert sorted(names) == sorted(reasons())
    assert len(re.findall("<a id=", PAGE.read_text())) == len(names)


def test_a_reason_is_found_however_it_is_written() -> None:
    assert reasons_of('Verdict(reason="OneWord")') == {"OneWord"}
    assert reasons_of('Verdict(reason="One" if bad else "Two")') == {"One", "Two"}
    assert reasons_of('Verdict(reason=str(told or "Three"))') == {"Three"}
    assert reasons_of('_pending("Four" if trouble else "Five", message)') == {"Four", "Five"}
    assert reasons_of('def f():\n    return ("Six", "a sentence") if n else ("", "")') == {"Six"}
    assert reasons_of('Verdict(reason=f"State{state.value}")') == {
        "StateCreating",
        "StateFailed",
        "StateUnknown",
    }
    assert reasons_of('told["reason"] == "Seven"') == {"Seven"}
    assert reasons_of('DEFAULT_WAITING: dict[str, float] = {"Eight": 0.0}') == {"Eight"}
    assert reasons_of('Plan(reason="nothing to do")') == set()
    assert reasons_of('def f():\n    return "Nine", 1', judges=False) == set()
    assert reasons_of('def f():\n    return phase not in ("Failed", "Succeeded")') == set()


def unnamed(source: str) -> set[str]:
    """Return the reasons with which a source raises an error without a word of it in the text."""
    found = set()
    for function in (one for one in ast.walk(ast.parse(source)) if isinstance(one, ast.FunctionDef)):
        calls = [one for one in ast.walk(function) if isinstance(one, ast.Call)]
        raised = [
            one for call in calls if _is_error(call.func) for one in call.keywords if one.arg == "reason"
        ]
        keywords = {id(one.value) for one in raised}
        literals = [
            one for one in ast.walk(function) if isinstance(one, ast.Constant) and id(one) not in keywords
        ]
        text = " ".join(one.value for one in literals if isinstance(one.value, str))
        found |= {word for one in raised for word in words(one.value) if not re.search(rf"\b{word}\b", text)}
    return found


def _is_error(function: ast.expr) -> bool:
    return ast.unparse(function).endswith("Error")


def test_the_text_of_each_error_names_its_reason() -> None:
    found = {"/".join(parts): unnamed(text) for parts, text in sources().items()}
    assert {file: names for file, names in found.items() if names} == {}


def test_an_error_that_does_not_name_its_reason_is_found() -> None:
    named = 'def f():\n    raise RolloutError(f"{x}: One: gone", reason="One")'
    assert unnamed(named) == set()
    assert unnamed(named.replace("One: ", "")) == {"One"}
    assert unnamed(named.replace("One: ", "OneMore: ")) == {"One"}
    assert unnamed(named.replace("RolloutError", "Plan").replace("One: ", "")) == set()


@pytest.mark.parametrize("ending", [one for one in Ending if one is not Ending.READY])
def test_the_text_of_a_wait_that_failed_names_its_reason_in_the_first_line(ending: Ending) -> None:
    for reason in sorted(reasons()):
        with pytest.raises(RolloutError) as caught:
            raise_for(
                Outcome(ending=ending, name="iris", namespace="models", reason=reason, message="because")
            )
        assert f": {reason}: because" in str(caught.value).splitlines()[0]
        assert caught.value.reason == reason
