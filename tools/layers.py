"""
Draw the package's layers, as the import contract in pyproject.toml states them: ``python tools/layers.py``.

The picture is ``docs/images/layers.svg``. ``--check`` writes nothing, and ends with 1 where the picture is out of date;
``tests/unit/test_layers.py`` does the same. No other package is needed.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "airflow_provider_seldon"
PICTURE = ROOT / "docs" / "images" / "layers.svg"

WIDTH, HEIGHT, GAP, MARGIN = 720, 44, 26, 16


def layers(pyproject: Path) -> list[tuple[str, ...]]:
    """
    Return the layers from the top; the modules of one layer are independent of each other.

    Of several contracts of the type ``layers``, the one with the most layers of the package itself counts.

    :param pyproject: file with the contracts of ``import-linter``.
    """
    tool = tomllib.loads(pyproject.read_text())["tool"].get("importlinter", {})
    stated = [
        [_siblings(layer) for layer in contract["layers"]]
        for contract in tool.get("contracts", [])
        if contract["type"] == "layers"
    ]
    whole = [found for found in stated if any("core" in layer for layer in found)]
    return max(whole, key=len)


def _siblings(layer: str) -> tuple[str, ...]:
    names = (re.sub(rf"^\(?({PACKAGE}\.)?|\)$", "", name.strip()) for name in re.split(r"[|:]", layer))
    return tuple(name for name in names if name)


def drawing(found: list[tuple[str, ...]]) -> str:
    """Return the picture: one row a layer, an arrow for "may import"."""
    step, inner = HEIGHT + GAP, WIDTH - 2 * MARGIN
    height = 2 * MARGIN + len(found) * step - GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" '
        'font-size="15" text-anchor="middle">',
        "<title>The layers of the package; imports go down only</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for row, names in enumerate(found):
        top = MARGIN + row * step
        width = inner / len(names)
        for at, name in enumerate(names):
            left = MARGIN + at * width
            parts.append(
                f'<rect x="{left + 2:.0f}" y="{top}" width="{width - 4:.0f}" height="{HEIGHT}" rx="5" '
                'fill="#eef3fa" stroke="#44546a"/>'
            )
            parts.append(
                f'<text x="{left + width / 2:.0f}" y="{top + HEIGHT / 2 + 5:.0f}">{escape(name)}</text>'
            )
        if row + 1 < len(found):
            start, end, middle = top + HEIGHT + 3, top + step - 4, WIDTH // 2
            parts.append(f'<path d="M{middle} {start}V{end}m-5 -6l5 6l5 -6" fill="none" stroke="#44546a"/>')
    return "\n".join([*parts, "</svg>", ""])


def main() -> int:
    """Write the picture, or check it."""
    picture = drawing(layers(ROOT / "pyproject.toml"))
    if "--check" in sys.argv[1:]:
        return int(not PICTURE.is_file() or PICTURE.read_text() != picture)
    PICTURE.write_text(picture)
    return 0


if __name__ == "__main__":
    sys.exit(main())
