"""A manifest in its own file: the only argument that may be the path of a template file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_ENDINGS = (".yaml", ".yml")


class ManifestFile(str):
    """Path of a manifest file, as opposed to text that only looks like a path."""

    __slots__ = ()

    @classmethod
    def of(cls, manifest: Any) -> Any:
        """Return a path as a ManifestFile, anything else unchanged."""
        is_path = isinstance(manifest, str) and manifest.endswith(_ENDINGS) and "\n" not in manifest
        return cls(manifest) if is_path else manifest


class RendersManifestFile:
    """
    Mixin that reads the manifest file when Airflow renders templates.

    Airflow's own ``template_ext`` would do this for every text in every templated argument that ends like a
    path: a model URI, a label, a row of a smoke test.
    """

    template_ext = ()

    def render_template(
        self, content: Any, context: Context, jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """Render as Airflow does; for a manifest's path, render the file."""
        if isinstance(content, ManifestFile):
            content = self._source(content, jinja_env or self.get_template_env())  # type: ignore[attr-defined]
        return super().render_template(content, context, jinja_env, seen_oids)  # type: ignore[misc]

    @staticmethod
    def _source(path: str, jinja_env: Any) -> str:
        from jinja2 import TemplateError

        from airflow_provider_seldon.exceptions import InvalidModelServerError

        try:
            source, *_ = jinja_env.loader.get_source(jinja_env, str(path))
        except (AttributeError, OSError, ValueError, TemplateError) as error:
            raise InvalidModelServerError.of(
                "manifest",
                f"the file {str(path)!r} cannot be read ({type(error).__name__}). Fix: give its path "
                "relative to the "
                "folder of the DAG's file, or to the DAG's template_searchpath",
            ) from None
        return str(source)
