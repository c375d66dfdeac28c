"""Tool servers that tests start as real processes: one by the SDK, others hostile and hand-written."""
