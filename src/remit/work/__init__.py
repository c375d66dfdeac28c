"""Loops beside the calls: reconcile, project, outbox, expiry, source and attack runners."""
