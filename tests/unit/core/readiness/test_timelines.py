from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.timelines.runner import run, run_file
from tests.timelines.scenarios import ALL
from tests.timelines.scenarios.words import available, child, scenario, step
from tests.unit.core import corpus

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize("data", ALL, ids=lambda data: data["scenario"])
def test_every_step_of_our_own_timelines_is_right(data: dict[str, Any]):
    steps = list(run(data))
    assert steps
    assert [str(one) for one in steps if not one.right] == []


def test_every_timeline_says_which_lie_it_covers():
    assert len(ALL) >= 40
    assert len({data["scenario"] for data in ALL}) == len(ALL)
    assert all(len(data["lie"].split()) >= 7 and data["lie"].endswith(".") for data in ALL)


@pytest.mark.skipif(corpus.directory() is None, reason="no corpus on this machine")
def test_every_step_of_the_corpus_timelines_is_right():
    files = [*corpus.files("status/timelines.json"), *corpus.files("status/recorded-*.json")]
    steps = [one for file in files for one in run_file(file)]
    assert len(steps) > 20
    assert [str(one) for one in steps if not one.right] == []


def test_the_command_prints_each_wrong_step_and_the_score(tmp_path: Path):
    good = scenario("fine", "Nothing.", step(0, available(), [child()], "ready"))
    bad = scenario("not fine", "Nothing.", step(0, available(), [child(template="old")], "ready", note="why"))
    file = tmp_path / "timelines.json"
    file.write_text(json.dumps({"scenarios": [good, bad]}))
    command = [sys.executable, "-m", "tests.timelines", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    first, last = done.stdout.splitlines()
    assert first.startswith("not fine step 1 (t=0): should be ready, judged pending (")
    assert first.endswith("[why]")
    assert last == "1 of 2 steps right"
    assert done.returncode == 1
    file.write_text(json.dumps({"scenarios": [good]}))
    assert subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_a_timeline_with_names_nobody_can_read_is_judged():
    data = scenario(
        "hashed",
        "Nothing.",
        step(0, available(2), [child("seldon-92a927e5e90d7602e08ba9b9304f70e8", template="old")], "wait"),
        step(9, available(2), [child("seldon-92a927e5e90d7602e08ba9b9304f70e8", generation=2)], "ready"),
    )
    assert all(one.right for one in run(data))
