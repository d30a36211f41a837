"""Parsing of operators' arguments."""
