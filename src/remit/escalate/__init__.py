"""Escalate: the handoff to a human.

`machine` is the life of an approval, as a table. `voting` says what a person may do about one, `eligibility` and
`quorum` whose yes counts and when there are enough. What people read is the `brief`; what they give beyond one action
is a grant (`grants`).
"""
