"""The policy decision point: `decide(snapshot, action, now)`. Read this ring first.

Events in, effects out: nothing here awaits, reads a clock or touches a store.
"""
