"""Publishing the documentation: each version has a folder, and the newest release is where the site begins."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def publish(site: Path, version: str, page: str) -> subprocess.CompletedProcess[str]:
    build = site.parent / "build"
    build.mkdir(exist_ok=True)
    (build / "index.html").write_text(page)
    command = [sys.executable, str(ROOT / "tools" / "publish_docs.py"), str(build), str(site), version]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_versions_are_next_to_each_other_and_the_newest_release_comes_first(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    for version in ("main", "v0.9.0", "v0.10.0", "v0.10.0rc1", "v0.9.0"):
        done = publish(site, version, f"page of {version}")
        assert done.returncode == 0, done.stderr
    assert json.loads((site / "versions.json").read_text()) == ["v0.10.0", "v0.10.0rc1", "v0.9.0", "main"]
    assert 'href="v0.10.0/"' in (site / "index.html").read_text()
    assert (site / "main" / "index.html").read_text() == "page of main"


@pytest.mark.parametrize("version", ["../elsewhere", "", "a/b", ".git"])
def test_what_is_no_folders_name_is_refused(tmp_path: Path, version: str) -> None:
    (tmp_path / "site").mkdir()
    assert publish(tmp_path / "site", version, "page").returncode != 0
    assert list((tmp_path / "site").iterdir()) == []
