"""What is published: the wheel, the source distribution, and what they say about themselves."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email.message import Message
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest
from trove_classifiers import classifiers

import airflow_provider_seldon

pytestmark = pytest.mark.xdist_group("package")

ROOT = Path(__file__).parents[2]
PACKAGE = "airflow_provider_seldon"
STEM = f"{PACKAGE}-{airflow_provider_seldon.__version__}"
#: In the repository, but of no use to who has the source distribution.
NOT_SHIPPED = {".ci/run", ".gitignore"}


@dataclass(frozen=True, kw_only=True)
class Built:
    """A wheel and a source distribution: where the wheel is, and what files are in each."""

    wheel: Path
    in_wheel: frozenset[str]
    in_sdist: frozenset[str]

    def read(self, name: str) -> str:
        """A file of the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.read(name).decode()

    def metadata(self) -> Message:
        """What the wheel says about itself."""
        return Parser().parsestr(self.read(f"{STEM}.dist-info/METADATA"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive, tarfile.open(sdist) as tar:
        return Built(
            wheel=wheel,
            in_wheel=frozenset(archive.namelist()),
            in_sdist=frozenset(one.name.removeprefix(f"{STEM}/") for one in tar.getmembers() if one.isfile()),
        )


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    assert {PurePosixPath(name).parts[0] for name in built.in_wheel} == {PACKAGE, f"{STEM}.dist-info"}
    code = {name for name in built.in_wheel if name.startswith(f"{PACKAGE}/")}
    assert {PurePosixPath(name).suffix for name in code} == {".py", ".typed", ".html", ".css", ".js"}
    assert f"{PACKAGE}/py.typed" in code
    assert not [name for name in code if re.search(r"(^|/)(tests?/|test_|conftest)", name)]


def test_the_wheel_has_every_module_of_the_provider_info(built: Built) -> None:
    """Asked for in an interpreter that has nothing but the wheel; what is named is a module, or in one."""
    entries = re.findall(r"^(\w+) = ([\w.]+):(\w+)$", built.read(f"{STEM}.dist-info/entry_points.txt"), re.M)
    named_there = {name: (module, what) for name, module, what in entries}
    assert set(named_there) == {"provider_info", "seldon_fleet"}
    entry = named_there["provider_info"]
    assert f"{named_there['seldon_fleet'][0].replace('.', '/')}.py" in built.in_wheel
    probe = f"import json, sys; sys.path.insert(0, {str(built.wheel)!r}); import {entry[0]} as m; "
    probe += f"assert '.whl' in m.__file__; print(json.dumps(m.{entry[1]}()))"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", probe], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["package-name"] == "airflow-provider-seldon"
    named = set(re.findall(rf'"({PACKAGE}(?:\.[a-z_]+)+)', done.stdout))
    assert len(named) > 10
    missing = {name for name in named if not (files(name) | files(name.rpartition(".")[0])) & built.in_wheel}
    assert missing == set()


def files(module: str) -> set[str]:
    """The files that may hold a module."""
    return {module.replace(".", "/") + end for end in (".py", "/__init__.py")}


def test_the_metadata_is_complete(built: Built) -> None:
    about = built.metadata()
    assert about["Name"] == "airflow-provider-seldon"
    assert about["Version"] == airflow_provider_seldon.__version__
    assert about["Requires-Python"] == ">=3.11"
    assert about["License-Expression"] == "Apache-2.0"
    assert f"{STEM}.dist-info/licenses/LICENSE" in built.in_wheel
    given = set(about.get_all("Classifier") or [])
    assert given <= classifiers
    assert {"Framework :: Apache Airflow", "Framework :: Apache Airflow :: Provider"} <= given
    urls = dict(line.split(", ") for line in about.get_all("Project-URL") or [])
    assert urls.keys() == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    assert "local" in (about.get_all("Provides-Extra") or [])
    required = {
        re.match(r"[\w-]+", one)[0] for one in about.get_all("Requires-Dist") or [] if "extra ==" not in one
    }  # type: ignore[index]
    assert {"apache-airflow", "apache-airflow-providers-cncf-kubernetes"} <= required
    assert not required & {"pytest", "ruff", "mypy", "hatchling"}


def test_what_a_package_index_shows_links_to_nothing_that_it_does_not_have(built: Built) -> None:
    about = built.metadata()
    text = about.get_payload()
    assert isinstance(text, str)
    assert about["Description-Content-Type"] == "text/markdown"
    assert text.startswith("# airflow-provider-seldon")
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []


def test_the_source_distribution_holds_everything_that_the_tests_need(built: Built) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode or not tracked.stdout:
        pytest.skip("this is no repository")
    here = {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()}
    assert here - built.in_sdist - NOT_SHIPPED == set()
    junk = re.compile(
        r"__pycache__|\.pyc$|(^|/)\.(venvs|cache|hypothesis|pytest_cache)/|^docs/_build/|^dist/"
    )
    assert [name for name in built.in_sdist if junk.search(name)] == []
