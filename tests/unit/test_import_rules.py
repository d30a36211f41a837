"""
What no contract of import-linter (see ``pyproject.toml``) can say: what importing costs, and what is called.

The contracts count every import, also those inside functions; here it matters when one happens.
"""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import airflow_provider_seldon

PACKAGE = "airflow_provider_seldon"
ROOT = Path(airflow_provider_seldon.__file__).parent

MOST_MODULES = 14
LONGEST_CHAIN = 8
PARSED_WITH_EVERY_DAG = ("operators", "sensors", "triggers", "links")
#: The clients of OpenLineage are optional besides.
SLOW = (
    *(
        "kubernetes",
        "kubernetes_asyncio",
        "airflow.providers.cncf",
        f"{PACKAGE}.hooks",
        f"{PACKAGE}.kube",
        f"{PACKAGE}.delivery",
    ),
    *("openlineage", "airflow.providers.openlineage"),
)

#: All that core may import: data, text and arithmetic. Nothing that reads files, sockets, clocks or chance.
PURE = {
    *(
        "__future__",
        "base64",
        "binascii",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
    ),
    *(
        "email.utils",
        "enum",
        "functools",
        "hashlib",
        "itertools",
        "json",
        "math",
        "operator",
        "re",
        "string",
        "textwrap",
        "types",
    ),
    *("typing", "urllib.parse", "zlib", "pydantic", "pydantic_core", "yaml", PACKAGE),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "now", "utcnow", "today", "localtime", "formatdate"}


@dataclass(frozen=True)
class Import:
    file: str
    line: int
    module: str
    at_parsing: bool
    only_for_types: bool

    def is_of(self, *packages: str) -> bool:
        return any(self.module == package or self.module.startswith(f"{package}.") for package in packages)

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.module}"


def sources(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found, f"nothing in {folders}: has a folder been renamed?"
    return found


def imports(path: Path) -> Iterator[Import]:
    yield from _imports(ast.parse(path.read_text()), str(path.relative_to(ROOT)), True, False)


def _imports(node: ast.AST, file: str, at_parsing: bool, for_types: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        names: list[str] = []
        if isinstance(child, ast.Import):
            names = [alias.name for alias in child.names]
        elif isinstance(child, ast.ImportFrom):
            whole = _absolute(child, file)
            names = [f"{whole}.{alias.name}" for alias in child.names] if _is_package(whole) else [whole]
        for name in names:
            yield Import(file, child.lineno, name, at_parsing and not for_types, for_types)  # type: ignore[attr-defined]
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for part in child.body:
                yield from _imports(ast.Module([part], []), file, at_parsing, True)
            yield from _imports(ast.Module(child.orelse, []), file, at_parsing, for_types)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _imports(child, file, at_parsing and not inside, for_types)


def _absolute(node: ast.ImportFrom, file: str) -> str:
    if not node.level:
        return node.module or ""
    package = (PACKAGE, *Path(file).parts)[: -node.level]
    return ".".join([*package, *([node.module] if node.module else [])])


def _is_package(module: str) -> bool:
    head, *rest = module.split(".")
    return head == PACKAGE and ROOT.joinpath(*rest).is_dir()


@pytest.mark.parametrize("name", ["__init__.py", "get_provider_info.py"])
def test_what_airflow_reads_first_imports_nothing(name: str) -> None:
    assert [str(one) for one in imports(ROOT / name)] == []


def test_core_imports_only_what_is_pure() -> None:
    wrong = [str(one) for path in sources("core") for one in imports(path) if not one.is_of(*PURE)]
    assert wrong == []


def test_core_does_no_io_and_reads_no_clock() -> None:
    calls = [
        f"{path.name}:{node.lineno} calls {name}"
        for path in sources("core")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        for name in [node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")]
        if name in IMPURE_CALLS
    ]
    assert calls == []


def test_parsing_a_dag_imports_nothing_slow() -> None:
    wrong = [
        str(one)
        for path in sources(*PARSED_WITH_EVERY_DAG)
        for one in imports(path)
        if one.at_parsing and one.is_of(*SLOW)
    ]
    assert wrong == []


def test_no_folder_holds_more_modules_than_a_reader_takes_in() -> None:
    folders = {path.parent for path in ROOT.rglob("*.py")}
    sizes = {
        str(folder.relative_to(ROOT)): len([one for one in folder.glob("*.py") if one.name != "__init__.py"])
        for folder in folders
    }
    assert {folder: size for folder, size in sizes.items() if size > MOST_MODULES} == {}


def test_no_chain_of_imports_inside_of_core_is_longer_than_eight() -> None:
    modules = {
        ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)): path for path in sources("core")
    }

    @functools.cache
    def length(module: str) -> int:
        return 1 + max(
            (length(one.module) for one in imports(modules[module]) if one.module in modules), default=0
        )

    assert max(length(module) for module in modules) <= LONGEST_CHAIN


def test_the_reader_of_imports_sees_them_all(tmp_path: Path) -> None:
    source = tmp_path / "example.py"
    source.write_text(
        "import a.b\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import c\nelse:\n    import d\n"
        "def f():\n    import e\n"
        "class C:\n    import g\n"
        "try:\n    import h\nexcept ImportError:\n    pass\n"
        f"from {PACKAGE} import hooks\nfrom {PACKAGE}.core.resource.seldon_deployment import KIND\n"
        "from . import api\nfrom ..faults import Fault\n"
    )
    tree = ast.parse(source.read_text())
    seen = {
        one.module: (one.at_parsing, one.only_for_types)
        for one in _imports(tree, "local/kubelet/example.py", True, False)
    }
    assert seen == {
        "a.b": (True, False),
        "typing": (True, False),
        "c": (False, True),
        "d": (True, False),
        "e": (False, False),
        "g": (True, False),
        "h": (True, False),
        f"{PACKAGE}.hooks": (True, False),
        f"{PACKAGE}.core.resource.seldon_deployment": (True, False),
        f"{PACKAGE}.local.kubelet.api": (True, False),
        f"{PACKAGE}.local.faults": (True, False),
    }


def test_importing_the_operators_loads_no_kubernetes_client() -> None:
    modules = [
        ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts))
        for path in sources(*PARSED_WITH_EVERY_DAG)
        if path.name != "__init__.py"
    ]
    code = (
        "import importlib, sys\n"
        "import airflow.providers.common.compat.sdk\n"
        "before = set(sys.modules)\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"slow = {SLOW!r}\n"
        "print([m for m in set(sys.modules) - before if m.startswith(slow)])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.strip("' ") for name in run.stdout.strip().splitlines()[-1].strip("[]").split(",")} - {""}
    assert loaded == set()
