"""Get, list, watch, logs and discovery."""
