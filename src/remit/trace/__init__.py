"""Trace: who decided what, why and on whose authority.

What a record says (`bodies`) has one fixed `encoding`; `chain` links records, `tree` and `note` are the checkpoints
over all chains, `proof` what a stranger checks offline. `verify` reads all of it and trusts nothing that wrote it.
"""
