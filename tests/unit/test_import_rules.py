"""
The plan of the house, asserted: imports go down only, what decides does no I/O, and parsing a DAG stays cheap.

Reads the source instead of importing it, so a rule also holds for imports inside functions.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import airflow_provider_seldon

PACKAGE = "airflow_provider_seldon"
ROOT = Path(airflow_provider_seldon.__file__).parent

#: What each folder may use of the package. ``exceptions`` and ``__init__`` (the version) are below everything but core.
LAYERS = {
    "core": {"core"},
    "kube": {"core", "kube", "exceptions"},
    "delivery": {"core", "kube", "delivery", "exceptions", "settings"},
    "hooks": {"core", "kube", "delivery", "hooks", "exceptions", "settings", "get_provider_info"},
    "links": {"core", "links", "settings"},
    "triggers": {"core", "kube", "delivery", "hooks", "triggers", "exceptions"},
    "sensors": {"core", "kube", "delivery", "hooks", "triggers", "links", "sensors", "exceptions"},
    "operators": {
        "assets",
        "core",
        "kube",
        "delivery",
        "hooks",
        "triggers",
        "links",
        "operators",
        "exceptions",
    },
    "assets.py": set(),
    "decisions.py": {"core"},
    "serving": {"core", "serving"},
    "local": {"core", "local"},
    "exceptions.py": {"core"},
    "settings.py": set(),
    "retries.py": {"exceptions"},
    "__init__.py": set(),
    "get_provider_info.py": set(),
}
NO_AIRFLOW = ("core", "local", "serving")
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
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "now", "utcnow", "today"}


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


def layer_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0]


def test_every_part_of_the_package_has_its_rule() -> None:
    assert {layer_of(path) for path in ROOT.rglob("*.py")} <= LAYERS.keys()


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_go_down_only(layer: str) -> None:
    paths = [ROOT / layer] if layer.endswith(".py") else sources(layer)
    wrong = [
        str(one)
        for path in paths
        for one in imports(path)
        if one.is_of(PACKAGE)
        and not one.only_for_types
        and one.module.split(".")[1:2] != []
        and one.module.split(".")[1] not in LAYERS[layer] | {"__version__"}
    ]
    assert wrong == []


@pytest.mark.parametrize("name", ["__init__.py", "get_provider_info.py"])
def test_what_airflow_reads_first_imports_nothing(name: str) -> None:
    assert [str(one) for one in imports(ROOT / name)] == []


@pytest.mark.parametrize("layer", NO_AIRFLOW)
def test_what_runs_without_airflow_does_not_import_it(layer: str) -> None:
    wrong = [str(one) for path in sources(layer) for one in imports(path) if one.is_of("airflow")]
    assert wrong == []


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


def test_only_the_kubernetes_side_uses_the_kubernetes_client() -> None:
    allowed = {"kube", "hooks"}
    wrong = [
        str(one)
        for path in ROOT.rglob("*.py")
        for one in imports(path)
        if one.is_of("kubernetes", "kubernetes_asyncio")
        and layer_of(path) not in allowed
        and not one.only_for_types
    ]
    assert wrong == []


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
