"""Enforcement points: they authenticate, parse, ask the PDP, append to the ledger and forward."""
