"""The base of all resource models, and the types of their fields: invalid values are kept unchanged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    Strict,
    model_validator,
)
from pydantic_core import core_schema


class _Lenient:
    """Validate as annotated; keep invalid values unchanged. A union, so that it runs inside pydantic."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.union_schema([handler(source), core_schema.any_schema()], mode="left_to_right")


#: A value of an unexpected type is kept unchanged: a manifest that Kubernetes would refuse must still load,
#: so that ``validation`` can report what is wrong with it.
Lenient = _Lenient()

Text = Annotated[str | None, Strict(), Lenient]
Int = Annotated[int | None, Strict(), Lenient]
Bool = Annotated[bool | None, Strict(), Lenient]
Object = Annotated[dict[str, Any] | None, Lenient]
StringMap = Annotated[dict[str, str] | None, Lenient]
Items = Annotated[list[Any] | None, Lenient]


class ManifestModel(BaseModel):
    """
    Base of all resource models: fields by their Kubernetes names, unknown ones kept, absent ones absent.

    Annotations are the types of the CRD. A manifest can violate them (``replicas: "1"``); the value is then
    kept unchanged, so code that must work with any manifest checks with ``isinstance``.
    """

    model_config = ConfigDict(
        extra="allow",
        validate_by_alias=True,
        # An unknown key may be spelt like a Python name (``http_port``); it is data, and stays unchanged.
        # Before pydantic 2.14, ``by_name=False`` for each reading does not apply to nested models.
        validate_by_name=False,
        # Tens of models: they are built when a manifest is first read, not when a DAG file is parsed.
        defer_build=True,
    )

    @model_validator(mode="wrap")
    @classmethod
    def _tell_fields_from_unknown_keys(cls, data: Any, validate: ModelWrapValidatorHandler[Self]) -> Self:
        # A manifest may hold the unknown key "http_port" (Seldon's old docs do), which is also the Python
        # name of the field httpPort. pydantic keeps its value, but then also treats the field as set.
        model = validate(data)
        if isinstance(data, Mapping) and model.__pydantic_extra__:
            fields = cls.model_fields
            for name in model.__pydantic_extra__.keys() & fields.keys():
                if fields[name].alias not in data:
                    model.__pydantic_fields_set__.discard(name)
        return model

    def to_manifest(self) -> dict[str, Any]:
        """Return the fields that are set, by their Kubernetes names, as JSON data of the caller's own."""
        return self.model_dump(by_alias=True, exclude_unset=True, warnings=False)
