"""
axe-core, which finds what somebody with a screen reader or a keyboard stumbles over; Mozilla's licence, not committed.

It comes from the npm registry into the cache folder, once, in this version and no other.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "axe-core"
VERSION = "4.14.1"
#: SHA-512 of the package, as the registry tells it.
DIGEST = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
#: What fails a test.
GRAVE = ("serious", "critical")
#: Runs it, and returns of each violation what it is, how grave, and where.
RUN = """
    const [rules, done] = arguments;
    axe.run(document, {resultTypes: ["violations"], rules})
      .then(found => done(found.violations.map(one => [
        one.impact, one.id, one.help, ...one.nodes.slice(0, 3).map(node => node.html + " " + node.failureSummary)
      ])), error => done([["critical", "axe itself", String(error)]]));
"""


def axe_source() -> str:
    """
    Return the script.

    :raises LookupError: it is not here, and cannot be had; the text says why.
    """
    file = CACHE / f"axe-{VERSION}.min.js"
    if not file.exists():
        _fetch(file)
    return file.read_text()


def _fetch(file: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise LookupError("there is no npm in the PATH, which axe-core comes with")
    with tempfile.TemporaryDirectory(prefix="seldon-axe-") as folder:
        got = subprocess.run(
            [npm, "pack", f"axe-core@{VERSION}", "--silent"],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        if got.returncode:
            raise LookupError(f"npm cannot get axe-core {VERSION}: {got.stderr.strip()[-300:]}")
        package = next(Path(folder).glob("*.tgz"))
        digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
        assert digest == DIGEST, f"this is not axe-core {VERSION}: {digest}"
        with tarfile.open(package) as archive:
            script = archive.extractfile("package/axe.min.js")
            assert script is not None
            CACHE.mkdir(parents=True, exist_ok=True)
            whole = file.with_suffix(".part")
            whole.write_bytes(script.read())
    whole.replace(file)
