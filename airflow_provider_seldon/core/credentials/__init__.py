"""Credentials as text: detect, mask, refuse. Stores none."""
