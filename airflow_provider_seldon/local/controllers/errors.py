"""Errors while the operator computes a SeldonDeployment's children."""

from __future__ import annotations


class ComponentError(Exception):
    """The children cannot be built: the operator reports the state ``Failed`` with this text."""
