"""A canary as data: its steps, predictors and lease, and the next action. Writes and measures nothing."""
