"""One deploy to many clusters: undo, on each of them, what a run changed."""
