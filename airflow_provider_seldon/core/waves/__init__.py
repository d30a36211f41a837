"""One deploy to many clusters: its targets, and what a run found there."""
