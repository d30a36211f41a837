"""What the documentation promises about tests and defaults, compared with them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_seldon.core.readiness.failure_policy import FailurePolicy
from airflow_provider_seldon.exceptions import SeldonError
from airflow_provider_seldon.get_provider_info import configuration, connection_fields
from airflow_provider_seldon.hooks.connection_test import (
    GOLDEN_RIGHTS,
    MAPPING_RIGHTS,
    RIGHTS,
    ROUTE_RIGHTS,
    SECRET_RIGHTS,
)

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
CHECKLIST = DOCS / "seed-checklist.md"
READINESS = DOCS / "readiness.md"
NAMED_FILE = re.compile(r"\b(?:tests/)?(?:unit|integration|e2e)/[\w/]*test_\w+\.py")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")
#: The pages, without what a build has left beside them.
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
READABLE = [*PAGES, *sorted(ROOT.glob("*.md"))]


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = NAMED_TEST.findall(page.read_text())
    missing = [f"{path}::{name}" for path, name in named if name not in functions_of(ROOT / path)]
    files = {path.removeprefix("tests/") for path in NAMED_FILE.findall(page.read_text())}
    assert missing + sorted(path for path in files if not (ROOT / "tests" / path).exists()) == []


@pytest.mark.parametrize(
    ("title", "end", "last"), [("What it does", "What it gets wrong", 45), ("What it gets wrong", None, 48)]
)
def test_every_row_of_the_checklist_exists_with_its_tests(title: str, end: str | None, last: int) -> None:
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


def documents() -> dict[Path, set[Path]]:
    """Return which pages each page has in its toctrees."""
    return {page: set(_in_toctrees(page)) for page in PAGES}


def _in_toctrees(page: Path) -> Iterator[Path]:
    for block in re.findall(r"^```\{toctree\}\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        for line in block.splitlines():
            if line and not line.startswith(":") and "<api/" not in line:
                yield (page.parent / f"{line}.md").resolve()


def test_every_page_is_in_a_toctree() -> None:
    listed = set().union(*documents().values()) | {DOCS / "index.md"}
    assert listed == set(PAGES)


@pytest.mark.parametrize("page", READABLE, ids=lambda page: page.name)
def test_every_file_that_a_page_links_or_includes_exists(page: Path) -> None:
    text = page.read_text()
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", re.sub(r"`[^`\n]*`", "", text))
    included = re.findall(r"^```\{(?:literalinclude|include|image|figure)\} (\S+)", text, re.MULTILINE)
    targets = [link for link in links if "://" not in link and not link.startswith("mailto:")] + included
    assert [target for target in targets if not (page.parent / target).exists()] == []


def errors(base: type[SeldonError] = SeldonError, depth: int = -1) -> Iterator[tuple[int, type[SeldonError]]]:
    """Yield the tree of exceptions, each with its depth below those that are directly below the root."""
    yield max(depth, 0), base
    for below in base.__subclasses__():
        if below.__module__ == SeldonError.__module__:
            yield from errors(below, depth + 1)


def test_the_table_of_errors_is_the_tree_of_exceptions() -> None:
    table = [cells for cells in rows((DOCS / "errors.md").read_text()) if "`" in cells[0]]
    told = [(cells[0].count("&emsp;"), cells[0].split("`")[1], cells[1]) for cells in table]
    assert told == [(depth, error.__name__, can_retry(error)) for depth, error in errors()]


def test_every_exception_can_be_linked_to_by_its_name() -> None:
    anchors = re.findall(r'<a id="(\w+)"></a>', (DOCS / "errors.md").read_text())
    assert anchors == [error.__name__ for _, error in errors()]


def can_retry(error: type[SeldonError]) -> str:
    """Return what the table says about another try."""
    if issubclass(error, AirflowFailException):
        return "never"
    return "yes" if error.retryable else "no"


def rights_of(manifest: str) -> set[tuple[str, str, str]]:
    """Return what the Role of a manifest grants: verb, API group, resource."""
    documents = list(yaml.safe_load_all((DOCS / "rbac" / manifest).read_text()))
    role = next(one for one in documents if one["kind"] == "Role")
    (binding,) = [one for one in documents if one["kind"] == "RoleBinding"]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    return {
        (verb, group, resource)
        for rule in role["rules"]
        for verb in rule["verbs"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_the_rbac_manifests_grant_what_is_needed_and_nothing_else() -> None:
    needed = {*RIGHTS.values(), *ROUTE_RIGHTS.values(), *MAPPING_RIGHTS.values()}
    assert rights_of("with-deployments.yaml") == needed
    assert rights_of("without-deployments.yaml") == {right for right in needed if right[1] != "apps"}
    assert rights_of("storage-secrets.yaml") == set(SECRET_RIGHTS.values())
    assert rights_of("golden-rows.yaml") == set(GOLDEN_RIGHTS.values())


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Yield what is public of operators, sensors, triggers and the hook, read from the sources."""
    for folder in ("operators", "sensors", "triggers", "hooks"):
        for file in sorted((ROOT / "airflow_provider_seldon" / folder).glob("*.py")):
            if folder != "hooks" or file.stem in {"seldon", "connection"}:
                for node in ast.parse(file.read_text()).body:
                    if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                        yield f"{folder}/{file.stem}", node


def arguments(function: ast.FunctionDef) -> list[str]:
    """Return the names of a function's arguments, ``self``, ``cls`` and what is passed on left out."""
    given = function.args
    return [one.arg for one in (*given.args, *given.kwonlyargs) if one.arg not in {"self", "cls"}]


def test_every_argument_of_a_constructor_is_in_its_class_docstring() -> None:
    missing = [
        f"{where}: {node.name}.{name}"
        for where, node in classes()
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "__init__"
        for name in arguments(method)
        if f":param {name}:" not in (ast.get_docstring(node) or "")
    ]
    assert missing == []


def test_every_public_module_is_in_the_reference() -> None:
    conf = ast.parse((DOCS / "conf.py").read_text())
    public = next(
        ast.literal_eval(node.value)
        for node in conf.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PUBLIC"
    )
    reference = (DOCS / "reference.md").read_text()
    listed = [name.replace("/", ".") for name in re.findall(r"<api/(\S+)/index>$", reference, re.MULTILINE)]
    assert sorted(listed) == sorted(public)
    assert [name for name in public if not (ROOT / name.replace(".", "/")).with_suffix(".py").is_file()] == []


def first_cells(page: str) -> set[str]:
    """Return what the rows of a page's tables are about, where that is code: without its backticks."""
    cells = (row[0] for row in rows((DOCS / page).read_text()))
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_field_of_the_connection_and_every_option_is_documented() -> None:
    (section,) = configuration().values()
    options: dict[str, dict[str, str]] = section["options"]  # type: ignore[index]
    assert first_cells("connection.md") == set(connection_fields())
    assert first_cells("configuration.md") == set(options)
    told = {row[0].strip("`"): row[1] for row in rows((DOCS / "configuration.md").read_text())}
    assert {name: told[name] for name in options if options[name]["default"]} == {
        name: option["default"] for name, option in options.items() if option["default"]
    }


#: Arguments of every operator or sensor of Airflow that the pages use.
AIRFLOWS_OWN = {"task_id", "outlets", "timeout", "mode"}


def code_blocks(page: Path) -> list[ast.Module]:
    """Return the Python code of a page, parsed; a block of keyword arguments alone as a call."""
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)
    return [ast.parse(block if not re.match(r"\w+=", block) else f"f({block})") for block in blocks]


def known_arguments() -> dict[str, set[str]]:
    """Return which arguments each public class takes, those of its bases included."""
    own: dict[str, set[str]] = {}
    bases: dict[str, list[str]] = {}
    for _, node in classes():
        made = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__"]
        own[node.name] = {name for one in made for name in arguments(one)}
        bases[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]

    def gathered(name: str) -> set[str]:
        return own.get(name, set()).union(*(gathered(base) for base in bases.get(name, ())))

    return {name: gathered(name) for name in own}


@pytest.mark.parametrize("page", READABLE, ids=lambda page: page.name)
def test_code_on_a_page_can_be_parsed_and_uses_arguments_and_names_that_exist(page: Path) -> None:
    known = known_arguments()
    nodes = [node for block in code_blocks(page) for node in ast.walk(block)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    wrong = [
        f"{call.func.id}({keyword.arg})"
        for call in calls
        for keyword in call.keywords
        if isinstance(call.func, ast.Name) and call.func.id in known
        if keyword.arg not in known[call.func.id] | AIRFLOWS_OWN
    ]
    assert wrong == []
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    ours = [one for one in imports if (one.module or "").startswith("airflow_provider_seldon")]
    missing = [
        f"{one.module}.{name.name}"
        for one in ours
        for name in one.names
        if not defines(one.module, name.name)
    ]
    assert missing == []


def defines(module: str | None, name: str) -> bool:
    """Return whether a module has a name, or imports it."""
    place = ROOT / (module or "").replace(".", "/")
    path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return path.is_file() and re.search(rf"\b{name}\b", path.read_text()) is not None


def test_the_messages_of_the_connection_test_are_those_of_the_code() -> None:
    table = (DOCS / "connection.md").read_text().split("| the message says | do |")[1].split("\n\n")[0]
    told = [part.strip(" ,:.") for row in rows(table) for part in re.findall(r"\*([^*]+)\*", row[0])]
    sources = ("hooks/connection_test.py", "kube/access/configuration.py", "kube/access/exec_plugin.py")
    code = "".join((ROOT / "airflow_provider_seldon" / one).read_text() for one in sources)
    # Texts in the code go over several lines, and hold names and fields.
    said = re.sub(r"\{[^}]*\}|\"\s*f?\"|\s+", " ", code)
    assert len(told) > 8
    assert [
        part for part in told if part not in re.sub(" +", " ", said) and "deployments.apps" not in part
    ] == []
