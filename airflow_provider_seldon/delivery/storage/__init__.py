"""Model files and the Secrets with which they are read."""
