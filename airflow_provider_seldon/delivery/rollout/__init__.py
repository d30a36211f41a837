"""Deploy, complete, roll back and scale: orders of requests that may be interrupted anywhere."""
