"""The form of a ``seldon`` connection on Airflow 2.11; Airflow 3.2 and later read it from ``get_provider_info``."""

from __future__ import annotations

from typing import Any

from airflow_provider_seldon.get_provider_info import connection_fields, field_behaviour


def widgets() -> dict[str, Any]:
    """Return the extra fields as WTForms fields, made from the same data as Airflow 3's form."""
    from flask_appbuilder.fieldwidgets import BS3PasswordFieldWidget, BS3TextFieldWidget
    from flask_babel import lazy_gettext
    from wtforms import BooleanField, PasswordField, StringField

    def widget(field: dict[str, Any]) -> Any:
        label, description = lazy_gettext(field["label"]), field["description"]
        if "boolean" in field["schema"]["type"]:
            return BooleanField(label, description=description)
        if field["schema"].get("format") == "password":
            return PasswordField(label, widget=BS3PasswordFieldWidget(), description=description)
        return StringField(label, widget=BS3TextFieldWidget(), description=description)

    return {name: widget(field) for name, field in connection_fields().items()}


def behaviour() -> dict[str, Any]:
    """Return which standard fields are hidden and how the others are labelled."""
    found: dict[str, Any] = {key.replace("-", "_"): value for key, value in field_behaviour().items()}
    # Only Airflow 3 needs the port.
    return found | {"hidden_fields": [*found["hidden_fields"], "port"]}
