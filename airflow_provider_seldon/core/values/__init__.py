"""Single values that a user gives: how each is read, and the valid name that a misspelled one is nearest to.

Knows no argument.
"""
