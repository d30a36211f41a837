"""
The files that a prepackaged server expects below the model URI, and how existing files are arranged for it.

Pure: takes a list of paths, returns a mapping of paths, or an error that names the found and the expected
files. Sources: Seldon Core reference, prepackaged servers; MLServer's runtimes (well-known file names);
TensorFlow Serving (numbered version directories); Triton (model repository). The files' content is not
checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from airflow_provider_seldon.core.invalid_request import InvalidRequestError

#: Placeholder for the version directory in an arrangement, until it gets a number.
VERSION = "{version}"

_SHOWN = 8
#: A model's name in a Triton repository is the name of its folder.
_FOLDER = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]{0,127}\Z")
_WEIGHTS = (".safetensors", ".bin", ".h5", ".msgpack", ".onnx", ".pt", ".pth", ".ot")


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """
    The layout of files for a server.

    :param files: path below the model URI -> path in the source.
    """

    files: dict[str, str]

    @property
    def versioned(self) -> bool:
        """Whether the server needs a version number that the source does not have."""
        return any(path.startswith(f"{VERSION}/") for path in self.files)

    def numbered(self, version: int) -> Arrangement:
        """Return the arrangement with the version's number instead of the placeholder."""
        return Arrangement(
            files={path.replace(VERSION, str(version), 1): file for path, file in self.files.items()}
        )


def arrange(
    files: Collection[str],
    *,
    implementation: str | None,
    protocol: str | None = None,
    model_name: str = "model",
) -> Arrangement:
    """
    Arrange the files of a trained model in the layout of its server.

    :param files: paths relative to the model's folder; for a model of one file, its name.
    :param implementation: prepackaged server, such as ``SKLEARN_SERVER``; for None, and for unknown servers,
        the files stay as they are.
    :param protocol: protocol of the deployment; MLServer (``v2``) accepts more file names than Seldon's own
        servers.
    :param model_name: folder of the model in a Triton repository, if the source is not one yet.
    :raises InvalidRequestError: the server cannot read the files.
    """
    kept = sorted(file for file in files if not _is_hidden(file))
    if not kept:
        raise InvalidRequestError.of(
            "source", "there is no file in it", "give the file or folder that the training wrote"
        )
    rule = _RULES.get((implementation or "").upper())
    if rule is None:
        return _as_it_is(kept)
    return rule(kept, (protocol or "seldon") in {"v2", "kfserving"}, model_name)


def _sklearn(files: list[str], v2: bool, model_name: str) -> Arrangement:
    names = ("model.joblib", "model.pickle", "model.pkl") if v2 else ("model.joblib",)
    return _one_file(files, names, "SKLEARN_SERVER", "save the model with joblib.dump(model, 'model.joblib')")


def _xgboost(files: list[str], v2: bool, model_name: str) -> Arrangement:
    fix = "save it with Booster.save_model('model.bst'); from Seldon Core 1.19 model.json is preferred"
    return _one_file(files, ("model.json", "model.bst"), "XGBOOST_SERVER", fix)


def _one_file(files: list[str], names: tuple[str, ...], server: str, fix: str) -> Arrangement:
    """Keep a folder that has a file with the expected name; else rename the only file with a valid ending."""
    if any(name in files for name in names):
        return _as_it_is(files)
    endings = {_suffix(name): name for name in names}
    candidates = [file for file in files if _suffix(file) in endings and "/" not in file]
    if len(candidates) != 1:
        raise _refused(server, files, f"a file {' or '.join(names)}", fix)
    (model,) = candidates
    return Arrangement(files={endings[_suffix(file)] if file == model else file: file for file in files})


def _tensorflow(files: list[str], v2: bool, model_name: str) -> Arrangement:
    if _has_saved_model(files, ""):
        return Arrangement(files={f"{VERSION}/{file}": file for file in files})
    versions = {file.partition("/")[0] for file in files if "/" in file}
    numbers = {name for name in versions if name.isdecimal()}
    if numbers and all(_has_saved_model(files, f"{name}/") for name in numbers):
        return _as_it_is([file for file in files if file.partition("/")[0] in numbers])
    raise _refused(
        "TENSORFLOW_SERVER",
        files,
        "saved_model.pb (it goes into a numbered directory), or numbered directories with one each",
        "give the folder that tf.saved_model.save or model.export wrote",
    )


def _has_saved_model(files: list[str], folder: str) -> bool:
    return any(f"{folder}saved_model{ending}" in files for ending in (".pb", ".pbtxt"))


def _mlflow(files: list[str], v2: bool, model_name: str) -> Arrangement:
    if "MLmodel" in files:
        return _as_it_is(files)
    below = [file for file in files if _name(file) == "MLmodel"]
    fix = (
        f"give its folder {below[0].rpartition('/')[0]}"
        if below
        else "give the folder of mlflow.*.save_model"
    )
    raise _refused("MLFLOW_SERVER", files, "a file MLmodel at the top", fix)


def _triton(files: list[str], v2: bool, model_name: str) -> Arrangement:
    def is_model(folder: str) -> bool:
        inside = [file.removeprefix(folder) for file in files if file.startswith(folder)]
        return any(first.isdecimal() and rest for first, _, rest in (file.partition("/") for file in inside))

    if is_model(""):
        if not _FOLDER.match(model_name):
            raise InvalidRequestError.of(
                "model_name",
                "is not the name of a folder",
                "use letters, digits, '-', '_' and '.', and begin with a letter, a digit or '_'",
                value=model_name[:80],
            )
        return Arrangement(files={f"{model_name}/{file}": file for file in files})
    folders = {f"{file.partition('/')[0]}/" for file in files if "/" in file}
    if folders and all(is_model(folder) for folder in folders):
        return _as_it_is(files)
    raise _refused(
        "TRITON_SERVER",
        files,
        "a model repository, <model>/<number>/<file> with <model>/config.pbtxt, or one such model",
        "put the model's file into a folder with a number, such as 1/model.onnx",
    )


def _huggingface(files: list[str], v2: bool, model_name: str) -> Arrangement:
    if "config.json" in files and any(file.endswith(_WEIGHTS) for file in files):
        return _as_it_is(files)
    raise _refused(
        "HUGGINGFACE_SERVER",
        files,
        f"config.json and weights ({', '.join(_WEIGHTS[:3])}, ...)",
        "give the folder that save_pretrained wrote, of the model and of its tokenizer",
    )


def leads_out(path: str) -> bool:
    """Return whether a relative path may lead out of its base."""
    parts = path.replace("\\", "/").split("/")
    return path.startswith("/") or ".." in parts or "\0" in path


def _as_it_is(files: list[str]) -> Arrangement:
    return Arrangement(files={file: file for file in files})


def _name(file: str) -> str:
    return file.rpartition("/")[2]


def _suffix(file: str) -> str:
    stem, dot, ending = _name(file).rpartition(".")
    return dot + ending if stem else ""


def _is_hidden(file: str) -> bool:
    """Return whether a file is not the model's: an editor's, or a folder marker of an object store."""
    return not file or file.endswith("/") or _name(file) in {".DS_Store", ".gitkeep"}


def _refused(server: str, files: list[str], expected: str, fix: str) -> InvalidRequestError:
    shown = ", ".join(files[:_SHOWN]) + (f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else "")
    return InvalidRequestError.of("source", f"{server} expects {expected}; found {shown}", fix)


_RULES: dict[str, Callable[[list[str], bool, str], Arrangement]] = {
    "SKLEARN_SERVER": _sklearn,
    "XGBOOST_SERVER": _xgboost,
    "TENSORFLOW_SERVER": _tensorflow,
    "MLFLOW_SERVER": _mlflow,
    "TRITON_SERVER": _triton,
    "HUGGINGFACE_SERVER": _huggingface,
}
