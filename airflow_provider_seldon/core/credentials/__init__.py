"""Credentials as text: found, hidden, refused. Holds none."""
