"""Loops beside the calls, which a missed turn delays and never makes wrong: `loop` says how one is run.

`discovery` folds what `sources` and telemetry see, `incidents` gathers what people should look at, `outbox` tells
channels what waits and `bulletins` what happened, `checkpoints` has the tree follow the ledger. `erasure` is asked for.
"""
