"""The parts that an existing API server needs to run Seldon Core."""
