"""Get, list, watch, logs and discovery. It changes nothing."""
