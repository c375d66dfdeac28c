"""Attacks on a running orchestrator: what is tried, and when it has succeeded.

`plan` holds the vocabulary (steps, goals, attempts), `values` makes arguments that a schema takes, `attempts` makes the
attempts that a workspace's own catalog allows, `risks` the published names that they are told under. All of it is
pure; `remit.app.attack` plays it against a real service.
"""
