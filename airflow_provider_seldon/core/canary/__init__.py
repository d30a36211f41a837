"""A canary as data: its steps, its predictors, its lease, and what comes next. Writes nothing and measures nothing."""
