"""One deploy to many clusters: undoing, on each of them, what a run has changed."""
