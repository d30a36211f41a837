"""Whether a deployment serves the expected revision, and why not. Decides no action."""
