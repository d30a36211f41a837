"""What can go wrong while the operator works out a SeldonDeployment's children."""

from __future__ import annotations


class ComponentError(Exception):
    """The children cannot be built: the operator answers with state ``Failed`` and this text."""
