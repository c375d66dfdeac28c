"""Escalate: the handoff to a human, as a table."""
