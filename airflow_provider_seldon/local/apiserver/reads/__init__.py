"""Get, list, watch, logs and discovery. Changes nothing."""
