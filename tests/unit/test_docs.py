"""What the documentation promises about tests and defaults, held against them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from airflow_provider_seldon.core.failure import FailurePolicy

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CHECKLIST = DOCS / "seed-checklist.md"
READINESS = DOCS / "readiness.md"
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of each row of each table, those that only draw lines left out."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and not re.fullmatch(r"[-: ]*", "".join(cells)):
            yield cells


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the test functions of a file, as pytest names them: those of a class after its name."""
    if not path.is_file():
        return frozenset()
    return frozenset(_functions(ast.parse(path.read_text()).body, ""))


def _functions(body: list[ast.stmt], prefix: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}::")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield prefix + node.name


def numbered(title: str, end: str | None) -> list[list[str]]:
    """Return the rows of a part of the checklist that begin with a number."""
    part = CHECKLIST.read_text().split(f"\n## {title}\n")[1]
    part = part.split(f"\n## {end}\n")[0] if end else part
    return [cells for cells in rows(part) if cells[0].isdecimal()]


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = NAMED_TEST.findall(page.read_text())
    missing = [f"{path}::{name}" for path, name in named if name not in functions_of(ROOT / path)]
    assert missing == []


@pytest.mark.parametrize(
    ("title", "end", "last"), [("What it does", "What it gets wrong", 45), ("What it gets wrong", None, 48)]
)
def test_every_row_of_the_checklist_is_there_with_its_tests(title: str, end: str | None, last: int) -> None:
    found = numbered(title, end)
    assert [int(cells[0]) for cells in found] == list(range(1, last + 1))
    assert [cells[0] for cells in found if not NAMED_TEST.search(cells[-1])] == []
    assert {len(cells) for cells in found} == {4 if end else 5}


def test_the_table_of_the_failure_policy_has_its_defaults() -> None:
    policy = FailurePolicy()
    table = {cells[0].strip("`"): cells[1] for cells in rows(READINESS.read_text()) if cells[0][0] == "`"}
    numbers = {key: float(text) for key, text in table.items() if re.fullmatch(r"[\d.]+", text)}
    defaults = {key: value for key, value in vars(policy).items() if isinstance(value, int | float)}
    assert numbers == {**defaults, **policy.waiting}
