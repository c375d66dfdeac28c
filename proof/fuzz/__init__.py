"""No bypass: mutated messages and chunkings against the whole path, and what must hold whatever they are.

`python -m proof.fuzz [--count N] [--seed S] [--only I]`. Client, gateway, ledger and a hostile upstream run in one
process, so that the order of things is one list: `world` joins them, `messages` makes requests and breaks them,
`streams` those that stand meanwhile, `hostile` is the server behind, `laws` and `stream_laws` are what is checked.
Message I of seed S is the same in every run.
"""
