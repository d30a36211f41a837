"""Path of a function: ``package.module:function``. Pure; imports nothing."""

from __future__ import annotations

from dataclasses import dataclass

from airflow_provider_seldon.core.invalid_request import InvalidRequestError


@dataclass(frozen=True)
class FunctionPath:
    """
    Path of a function.

    :param module: dotted name of the module.
    :param function: name in the module; may be dotted, such as ``Model.predict``.
    """

    module: str
    function: str

    @classmethod
    def parse(cls, text: str, *, field: str = "predict_function") -> FunctionPath:
        """
        Read ``package.module:function``.

        :raises InvalidRequestError: it does not have that form; names ``field``.
        """
        module, colon, function = text.partition(":") if isinstance(text, str) else ("", "", "")
        if not colon or not _is_dotted_name(module) or not _is_dotted_name(function):
            raise InvalidRequestError.of(
                field,
                "is not the path of a function",
                "write package.module:function, such as my_models.iris:predict",
                value=str(text)[:100],
            )
        return cls(module, function)

    def __str__(self) -> str:
        return f"{self.module}:{self.function}"


def _is_dotted_name(text: str) -> bool:
    return all(part.isidentifier() for part in text.split("."))
