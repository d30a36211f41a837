"""Seldon's operator: from a SeldonDeployment to its children and its status."""
