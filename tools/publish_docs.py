"""
Put a built documentation next to those of other versions: ``python tools/publish_docs.py BUILD SITE VERSION``.

``SITE`` gets a folder for the version, ``versions.json`` (the newest release first, then ``main``), which the pages'
choice of versions reads, and an ``index.html`` that leads to the first of them. No other package is needed.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(.*)")
REDIRECT = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={0}/">'
    '<a href="{0}/">{0}</a>\n'
)


def rank(version: str) -> tuple[bool, tuple[int, ...], bool, str]:
    """Return by what versions are sorted: releases by number, a pre-release before its release, ``main`` last."""
    read = VERSION.fullmatch(version)
    if read is None:
        return (False, (), False, version)
    return (True, tuple(int(part) for part in read.groups()[:3]), not read[4], read[4])


def publish(build: Path, site: Path, version: str) -> list[str]:
    """
    Publish a version, in place of what was published under the same name.

    :returns: all versions, as ``versions.json`` lists them.
    :raises ValueError: the version is no name of a folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", version):
        raise ValueError(f"{version!r} is no version")
    shutil.rmtree(site / version, ignore_errors=True)
    shutil.copytree(build, site / version, ignore=shutil.ignore_patterns(".doctrees", ".buildinfo"))
    found = [one.name for one in site.iterdir() if one.is_dir() and (one / "index.html").is_file()]
    versions = sorted(found, key=rank, reverse=True)
    (site / "versions.json").write_text(json.dumps(versions) + "\n")
    (site / "index.html").write_text(REDIRECT.format(versions[0]))
    (site / ".nojekyll").touch()
    return versions


if __name__ == "__main__":
    print(*publish(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]), sep="\n")
