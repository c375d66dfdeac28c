"""Seeded simulations: a failure is a seed."""
