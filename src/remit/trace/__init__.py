"""Trace: who decided what, why and on whose authority; records, chains, verification."""
