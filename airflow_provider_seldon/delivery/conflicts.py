"""How conflicts of two writers are dealt with."""

from __future__ import annotations

#: How often it is looked again when somebody else changed a deployment between a read and a write.
CONFLICT_ATTEMPTS = 5
