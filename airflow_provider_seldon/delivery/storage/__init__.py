"""Copies of model files, and the Secrets that read them. Their content is decided in core/storage."""
