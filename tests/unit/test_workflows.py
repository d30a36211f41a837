"""The workflows of the forge call the same ``make`` targets as a person does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILE = (ROOT / "Makefile").read_text()

pytestmark = pytest.mark.skipif(not WORKFLOWS, reason="a source distribution has no workflows")


def jobs(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())["jobs"]
    return found


def commands() -> list[tuple[str, str]]:
    """Each ``run`` of each workflow, once for every value of its matrix."""
    found = []
    for file in WORKFLOWS:
        for job in jobs(file).values():
            values = {}
            for name, choices in job.get("strategy", {}).get("matrix", {}).items():
                values[name.upper()] = choices
            for step in job["steps"]:
                run = step.get("run", "")
                named = re.search(r"\$\{?([A-Z]+)\}?", run)
                for value in values.get(named[1], [""]) if named else [""]:
                    found.append((file.name, re.sub(r'"([^"]*)\$\{?[A-Z]+\}?"', rf"\g<1>{value}", run)))
    return found


def test_every_make_target_that_a_workflow_calls_exists() -> None:
    called = [
        (file, target)
        for file, run in commands()
        for line in re.findall(r"\bmake ([^\n&|]+)", run)
        for target in line.split()
        if "=" not in target
    ]
    assert {target for _, target in called} >= {
        "lint",
        "docs",
        "test-3.3",
        "test-2.11",
        "package",
        "newest-pre",
    }
    known = set(re.findall(r"^([a-z][\w.-]*):", MAKEFILE, re.M)) | {"test-3.3", "test-2.11"}
    assert [(file, target) for file, target in called if target not in known and ".ready" not in target] == []


#: What a job may do besides reading, by its workflow: the branch of the documentation is kept, to have older versions.
WRITING = {
    "release.yml": {"publish": {"id-token": "write"}},
    "docs.yml": {"publish": {"contents": "write"}},
}


def test_no_workflow_may_write_unless_it_publishes_and_none_holds_a_token() -> None:
    for file in WORKFLOWS:
        text = file.read_text()
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}
        assert "secrets." not in text
        rights = {name: job["permissions"] for name, job in jobs(file).items() if "permissions" in job}
        assert rights == WRITING.get(file.name, {})


def test_every_job_ends_by_itself() -> None:
    assert [
        (file.name, name)
        for file in WORKFLOWS
        for name, job in jobs(file).items()
        if "timeout-minutes" not in job
    ] == []
