"""Command line: ``python -m airflow_provider_seldon.serving --predict package.module:function``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from airflow_provider_seldon.serving.function_model import (
    FOLDER_VARIABLE,
    LOAD_VARIABLE,
    PREDICT_VARIABLE,
    FunctionModel,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """
    Load the model and serve it until SIGTERM.

    :returns: the exit code; 0 after SIGTERM. A loading error is not caught, so that the process exits with
        its traceback and exit code 1.
    """
    options = _parser().parse_args(arguments)
    sys.path.insert(0, os.getcwd())
    if options.protocol == "v2":
        return _serve_v2(options)
    logging.basicConfig(
        level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    from airflow_provider_seldon.serving.http_server import ModelServer

    model = FunctionModel.from_environment(
        predict=options.predict, load=options.load, folder=options.model_dir
    )
    model.load()
    ModelServer(model=model, host=options.host, port=options.port or _port()).serve()
    return 0


def _serve_v2(options: argparse.Namespace) -> int:
    """Run MLServer; the variables of Seldon's operator set ports, host and the model's name."""
    import asyncio

    from mlserver import MLServer, ModelSettings, Settings
    from mlserver.settings import ModelParameters

    from airflow_provider_seldon.serving.runtime import FunctionRuntime

    given = {
        PREDICT_VARIABLE: options.predict,
        LOAD_VARIABLE: options.load,
        FOLDER_VARIABLE: options.model_dir,
    }
    os.environ.update({key: value for key, value in given.items() if value})
    metrics = os.environ.get("PREDICTIVE_UNIT_METRICS_SERVICE_PORT")

    async def serve() -> None:
        settings = Settings(
            parallel_workers=0,
            host=options.host,
            **({"http_port": options.port} if options.port else {}),
            **({"metrics_port": int(metrics)} if metrics else {"metrics_endpoint": None}),
        )
        name = os.environ.get("MLSERVER_MODEL_NAME") or "classifier"
        parameters = ModelParameters(uri=options.model_dir)
        model = ModelSettings(name=name, implementation=FunctionRuntime, parameters=parameters)
        await MLServer(settings).start([model])

    asyncio.run(serve())
    return 0


def _port() -> int:
    names = ("PREDICTIVE_UNIT_HTTP_SERVICE_PORT", "PREDICTIVE_UNIT_SERVICE_PORT")
    return int(next((os.environ[name] for name in names if os.environ.get(name)), "9000"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="airflow_provider_seldon.serving", description=__doc__)
    parser.add_argument("--predict", help=f"package.module:function; default: ${PREDICT_VARIABLE}")
    parser.add_argument("--load", help=f"function that loads the model's files; default: ${LOAD_VARIABLE}")
    parser.add_argument("--model-dir", help=f"folder with the model's files; default: ${FOLDER_VARIABLE}")
    parser.add_argument("--protocol", choices=("seldon", "v2"), default="seldon")
    parser.add_argument("--host", default="0.0.0.0")
    parser.add_argument("--port", type=int, help="default: the port set by Seldon's operator, else 9000")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return parser


if __name__ == "__main__":
    sys.exit(main())
