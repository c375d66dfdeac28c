"""Policies as generated Python: one function for the policies of a slice, with Cedar's semantics.

`values` are Cedar's values as Python holds them, `extensions` its extension types, `operators`
what generated code calls, `generate` turns Cedar's JSON form into source, `function` makes it run.
"""
