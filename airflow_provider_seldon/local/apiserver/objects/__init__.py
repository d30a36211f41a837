"""The kinds, their fields, defaults and rules, and the store of objects."""
