"""Copies of model files, and the Secrets to read them. core/storage decides their content."""
