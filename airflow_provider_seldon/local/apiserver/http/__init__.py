"""The HTTP side of the API server: listeners, the request pipeline, errors, and other servers behind it."""
