"""Staging a trained model: on files and on an object store, interrupted, repeated, pruned."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.memory import MemoryFile, MemoryFileSystem

from airflow_provider_seldon.delivery.storage import model_store
from airflow_provider_seldon.delivery.storage.staging import StagedModel, stage_model
from airflow_provider_seldon.exceptions import ModelChangedError, ModelFilesError
from airflow_provider_seldon.hooks.seldon import SeldonHook
from airflow_provider_seldon.operators.stage import SeldonStageModelOperator
from tests.integration.conftest import context
from tests.integration.test_deploy_operator import deploy

SAVED_MODEL = {"saved_model.pb": "graph", "variables/variables.index": "index"}


def write(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(folder)


@pytest.fixture
def object_store() -> Iterator[MemoryFileSystem]:
    """An object store in memory, known to Airflow as ``memory://``."""
    try:
        from airflow.sdk.io import attach
    except ImportError:
        from airflow.io.store import attach
    store = MemoryFileSystem()
    attach(protocol="memory", conn_id=None, fs=store)
    store.store.clear()
    yield store
    store.store.clear()


@pytest.fixture(params=["file", "memory"])
def target(request: Any, tmp_path: Path, object_store: MemoryFileSystem) -> str:
    return f"file://{tmp_path}/served/iris" if request.param == "file" else "memory://models/iris"


@pytest.fixture
def files_below(object_store: MemoryFileSystem) -> Callable[[str], dict[str, str]]:
    """What is stored below a URI: path -> content, without the markers."""

    def read(uri: str) -> dict[str, str]:
        if uri.startswith("memory://"):
            root = "/" + uri.removeprefix("memory://")
            found = {path: object_store.cat(path).decode() for path in object_store.find(root)}
        else:
            root = uri.removeprefix("file://")
            found = {str(path): path.read_text() for path in Path(root).rglob("*") if path.is_file()}
        return {path.removeprefix(root).lstrip("/"): text for path, text in sorted(found.items())}

    return read


def stage(source: str, target: str, **options: Any) -> StagedModel:
    return stage_model(source, target, **{"implementation": "SKLEARN_SERVER", **options})


def test_a_model_is_copied_under_a_name_made_of_its_content(
    tmp_path: Path, target: str, files_below: Any
) -> None:
    source = write(tmp_path / "run-1", {"iris.joblib": "model"})
    staged = stage(source, target)
    assert staged.model_uri == f"{target}/{staged.digest}"
    assert (staged.action, staged.files, staged.bytes) == ("copied", 1, 5)
    assert files_below(staged.model_uri) == {"model.joblib": "model"}


def test_a_single_file_can_be_staged(tmp_path: Path, target: str, files_below: Any) -> None:
    write(tmp_path / "run-1", {"iris.joblib": "model", "other.joblib": "not this"})
    staged = stage(str(tmp_path / "run-1" / "iris.joblib"), target)
    assert files_below(staged.model_uri) == {"model.joblib": "model"}


def test_the_same_model_again_copies_nothing(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stage(write(tmp_path / "run-1", {"model.joblib": "model"}), target)
    monkeypatch.setattr(
        model_store.ModelStore, "_write", lambda *_: pytest.fail("a file was written that is there already")
    )
    again = stage(write(tmp_path / "run-2", {"other-name.joblib": "model"}), target)
    assert (again.action, again.model_uri) == ("unchanged", first.model_uri)


def test_another_model_goes_elsewhere_and_leaves_the_served_one_alone(
    tmp_path: Path, target: str, files_below: Any
) -> None:
    first = stage(write(tmp_path / "run", {"model.joblib": "one"}), target)
    second = stage(write(tmp_path / "run", {"model.joblib": "two"}), target)
    assert second.model_uri != first.model_uri
    assert files_below(first.model_uri) == {"model.joblib": "one"}


def test_a_wrong_layout_is_refused_before_anything_is_copied(
    tmp_path: Path, target: str, files_below: Any
) -> None:
    with pytest.raises(ModelFilesError, match=r"expects a file model\.joblib; found model\.pkl") as caught:
        stage(write(tmp_path / "run", {"model.pkl": "model"}), target)
    assert "Nothing was copied" in str(caught.value)
    assert files_below(target) == {}


def test_a_source_that_does_not_exist_is_reported(tmp_path: Path, target: str) -> None:
    with pytest.raises(ModelFilesError, match="no model at"):
        stage(str(tmp_path / "nowhere"), target)


class KilledError(Exception):
    """Stands for the end of the worker."""


def killed_after(chunks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker dies when it has read so many chunks for copying (the first look reads as many before)."""
    read = model_store.ModelSource.read
    left = [chunks]

    def read_until_killed(self: Any, file: str) -> Iterator[bytes]:
        for chunk in read(self, file):
            if left[0] == 0:
                raise KilledError
            left[0] -= 1
            yield chunk

    monkeypatch.setattr(model_store.ModelSource, "read", read_until_killed)


@pytest.mark.parametrize("chunks", range(12))
def test_a_copy_that_is_interrupted_anywhere_is_not_taken_for_complete(
    tmp_path: Path, target: str, files_below: Any, monkeypatch: pytest.MonkeyPatch, chunks: int
) -> None:
    files = {"model.joblib": "a long model", "metadata.yaml": "name: iris", "labels.txt": "abc"}
    source = write(tmp_path / "run", files)
    monkeypatch.setattr(model_store, "CHUNK", 8)
    with monkeypatch.context() as patch:
        killed_after(chunks, patch)
        try:
            stage(source, target)
        except KilledError:
            assert not any(name.endswith(".json") for name in files_below(target))
    staged = stage(source, target)
    assert staged.action == ("copied" if chunks < 10 else "unchanged")
    assert files_below(staged.model_uri) == files


def test_files_that_an_interrupted_copy_has_finished_are_not_copied_again(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "run", {"a.txt": "a", "b.txt": "b", "model.joblib": "model"})
    with monkeypatch.context() as patch:
        killed_after(3 + 2, patch)
        with pytest.raises(KilledError):
            stage(source, target)
    written: list[str] = []
    write_file = model_store.ModelStore._write

    def note(self: Any, digest: str, path: str, *arguments: Any) -> None:
        written.append(path)
        write_file(self, digest, path, *arguments)

    monkeypatch.setattr(model_store.ModelStore, "_write", note)
    assert stage(source, target).action == "copied"
    assert written == ["model.joblib"]


def test_a_damaged_copy_is_repaired(tmp_path: Path, files_below: Any) -> None:
    target = f"file://{tmp_path}/served"
    source = write(tmp_path / "run", {"model.joblib": "model", "labels.txt": "abc"})
    staged = stage(source, target)
    Path(staged.model_uri.removeprefix("file://"), "labels.txt").unlink()
    assert stage(source, target).action == "copied"
    assert files_below(staged.model_uri) == {"labels.txt": "abc", "model.joblib": "model"}


def test_a_source_that_changes_meanwhile_is_not_served(
    tmp_path: Path, target: str, files_below: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "run", {"model.joblib": "model"})
    described = model_store.ModelSource.described

    def and_then_it_changes(self: Any, file: str) -> Any:
        found = described(self, file)
        write(tmp_path / "run", {"model.joblib": "other"})
        return found

    monkeypatch.setattr(model_store.ModelSource, "described", and_then_it_changes)
    with pytest.raises(ModelChangedError, match=r"model\.joblib changed during the copy"):
        stage(source, target)
    assert files_below(target) == {}


def test_saved_models_get_the_next_number_and_a_retry_keeps_it(
    tmp_path: Path, target: str, files_below: Any
) -> None:
    first = stage(write(tmp_path / "1", SAVED_MODEL), target, implementation="TENSORFLOW_SERVER")
    second = stage(
        write(tmp_path / "2", {**SAVED_MODEL, "saved_model.pb": "better"}),
        target,
        implementation="TENSORFLOW_SERVER",
    )
    again = stage(str(tmp_path / "1"), target, implementation="TENSORFLOW_SERVER")
    assert (first.version, second.version, again.version) == (1, 2, 1)
    assert (again.action, again.model_uri) == ("unchanged", first.model_uri)
    assert files_below(second.model_uri) == {
        "2/saved_model.pb": "better",
        "2/variables/variables.index": "index",
    }


def test_an_interrupted_saved_model_is_continued_under_its_number(
    tmp_path: Path, target: str, files_below: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write(tmp_path / "1", SAVED_MODEL)
    with monkeypatch.context() as patch:
        killed_after(2 + 1, patch)
        with pytest.raises(KilledError):
            stage(source, target, implementation="TENSORFLOW_SERVER")
    other = write(tmp_path / "2", {"saved_model.pb": "other"})
    assert stage(other, target, implementation="TENSORFLOW_SERVER").version == 1
    staged = stage(source, target, implementation="TENSORFLOW_SERVER")
    assert staged.version == 1
    assert {path.partition("/")[0] for path in files_below(staged.model_uri)} == {"1"}


def test_a_number_can_be_given(tmp_path: Path, target: str, files_below: Any) -> None:
    source = write(tmp_path / "1", SAVED_MODEL)
    staged = stage(source, target, implementation="TENSORFLOW_SERVER", version=20260105)
    assert staged.version == 20260105
    assert "20260105/saved_model.pb" in files_below(staged.model_uri)


@pytest.mark.parametrize(
    ("options", "told"),
    [({"version": 0}, "from 1"), ({"version": 3}, "no version directory"), ({"keep": 0}, "1 or more")],
)
def test_numbers_that_make_no_sense_are_refused(
    tmp_path: Path, target: str, options: dict[str, int], told: str
) -> None:
    with pytest.raises(ModelFilesError, match=told):
        stage(write(tmp_path / "run", {"model.joblib": "model"}), target, **options)


def test_a_volume_can_have_another_name_on_the_cluster(tmp_path: Path) -> None:
    source = write(tmp_path / "run", {"model.joblib": "model"})
    staged = stage(source, f"file://{tmp_path}/mounted", served_from="pvc://models/iris/")
    assert staged.model_uri == f"pvc://models/iris/{staged.digest}"


def versions(tmp_path: Path, target: str, count: int, **options: Any) -> list[StagedModel]:
    return [
        stage(write(tmp_path / "run", {"model.joblib": f"model {number}"}), target, **options)
        for number in range(count)
    ]


def test_only_the_last_copies_are_kept(
    tmp_path: Path, target: str, files_below: Any, hook: SeldonHook
) -> None:
    staged = versions(tmp_path, target, 5, keep=2, hook=hook)
    kept = {staged[3].digest, staged[4].digest}
    assert {path.partition("/")[0].removesuffix(".json") for path in files_below(target)} == kept
    assert staged[4].pruned == (staged[2].model_uri,)


def test_a_copy_that_is_requested_again_is_not_an_old_one(
    tmp_path: Path, target: str, files_below: Any, hook: SeldonHook
) -> None:
    staged = versions(tmp_path, target, 3)
    stage(write(tmp_path / "again", {"model.joblib": "model 0"}), target, keep=1, hook=hook)
    assert {path.partition("/")[0].removesuffix(".json") for path in files_below(target)} == {
        staged[0].digest
    }


@pytest.mark.simulated_pods("the copies are on this machine")
def test_a_copy_that_a_deployment_serves_or_can_be_rolled_back_to_stays(
    tmp_path: Path, target: str, files_below: Any, hook: SeldonHook
) -> None:
    staged = versions(tmp_path, target, 4)
    deploy(model_uri=staged[0].model_uri)
    deploy(model_uri=staged[1].model_uri)
    newest = stage(write(tmp_path / "run", {"model.joblib": "newest"}), target, keep=1, hook=hook)
    left = {path.partition("/")[0].removesuffix(".json") for path in files_below(target)}
    assert left == {staged[0].digest, staged[1].digest, newest.digest}


def test_a_deletion_that_was_interrupted_is_not_taken_for_a_model_and_is_finished_later(
    tmp_path: Path, hook: SeldonHook, files_below: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = f"file://{tmp_path}/served"
    staged = versions(tmp_path, target, 2)
    with monkeypatch.context() as patch:
        mark = model_store.ModelStore._mark

        def mark_and_be_killed(self: Any, copy: Any, **options: Any) -> Any:
            marked = mark(self, copy, **options)
            if not copy.complete:
                raise KilledError
            return marked

        patch.setattr(model_store.ModelStore, "_mark", mark_and_be_killed)
        with pytest.raises(KilledError):
            stage(write(tmp_path / "run", {"model.joblib": "model 1"}), target, keep=1, hook=hook)
    assert stage(write(tmp_path / "run", {"model.joblib": "model 0"}), target).action == "copied"
    assert stage(write(tmp_path / "run", {"model.joblib": "model 1"}), target, keep=1, hook=hook).pruned == (
        staged[0].model_uri,
    )
    assert {path.partition("/")[0].removesuffix(".json") for path in files_below(target)} == {
        staged[1].digest
    }


def test_a_marker_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    target = tmp_path / "served"
    source = write(tmp_path / "run", {"model.joblib": "model"})
    staged = stage(source, f"file://{target}")
    (target / f"{staged.digest}.json").write_text('{"digest": ')
    assert stage(source, f"file://{target}").action == "copied"
    assert json.loads((target / f"{staged.digest}.json").read_text())["files"] == {"model.joblib": 5}


def test_the_operator_returns_what_to_deploy(tmp_path: Path, hook: SeldonHook) -> None:
    task = SeldonStageModelOperator(
        task_id="stage",
        source=write(tmp_path / "run", SAVED_MODEL),
        target=f"file://{tmp_path}/served",
        implementation="TENSORFLOW_SERVER",
        version="7",
        keep=3,
    )
    result = task.execute(context())
    assert json.loads(json.dumps(result)) == result
    assert result["model_uri"] == f"file://{tmp_path}/served/{result['digest']}"
    assert (result["version"], result["action"], result["pruned"]) == (7, "copied", [])


@pytest.mark.parametrize("name", ["../../../escape", "a/b", "/tmp/abs", "..", ".", "a\\b", "a\nb", ""])
def test_a_model_name_that_is_no_folder_writes_nowhere(tmp_path: Path, name: str) -> None:
    source = write(tmp_path / "trained", {"1/model.onnx": "x"})
    with pytest.raises(ModelFilesError, match="model_name"):
        stage(source, f"file://{tmp_path}/served", implementation="TRITON_SERVER", model_name=name)
    assert {path.name for path in tmp_path.iterdir()} == {"trained"}


def test_links_that_leave_the_source_are_refused_and_others_are_followed(
    tmp_path: Path, files_below: Callable[[str], dict[str, str]]
) -> None:
    write(tmp_path, {"secret.txt": "hidden", "elsewhere/deep.txt": "hidden"})
    for link in ("link.txt", "folder"):
        source = Path(write(tmp_path / link / "trained", {"model.joblib": "weights"}))
        (source / link).symlink_to(tmp_path / ("secret.txt" if link == "link.txt" else "elsewhere"))
        target = f"file://{tmp_path}/served-{link}"
        with pytest.raises(ModelFilesError, match="leads out"):
            stage(str(source), target)
        assert "hidden" not in files_below(target).values()
    inside = Path(write(tmp_path / "inside", {"model.joblib": "weights"}))
    (inside / "again.joblib").symlink_to("model.joblib")
    (tmp_path / "latest").symlink_to(inside)
    staged = stage(str(tmp_path / "latest"), f"file://{tmp_path}/served")
    assert files_below(staged.model_uri) == {"again.joblib": "weights", "model.joblib": "weights"}


def test_a_key_of_an_object_store_that_climbs_is_not_copied(
    tmp_path: Path, object_store: MemoryFileSystem
) -> None:
    for key in ("/trained/model.joblib", "/trained/../../escape.txt"):
        object_store.store[key] = MemoryFile(object_store, key, b"x")
    with pytest.raises(ModelFilesError, match="leads out"):
        stage("memory://trained", f"file://{tmp_path}/a/b/served")
    assert not list(tmp_path.rglob("escape.txt"))
