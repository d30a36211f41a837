"""Readers of single user values, and suggestions for misspelled names.

Knows nothing about arguments.
"""
