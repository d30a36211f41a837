"""What an existing API server, which is not part of this package, lacks to run Seldon Core."""
