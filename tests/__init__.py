"""Tests: core (pure, no fixtures), contract (one suite, every adapter), sim (seeded), e2e (real processes)."""
