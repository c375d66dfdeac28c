"""The policy decision point: `decide(snapshot, action, now)`. Read this ring first.

Events in, effects out: nothing here awaits, reads a clock or touches a store.

`decide` is the way in. Its steps in their order are `preconditions`, `open_breakers`, `flow`, `measure` and `past` (the
facts), `chain`, `spending`, `grant_scope`, `guarantees` and `obligations`; `effects` makes of the ruling what has to be
done (`decision`). `result_judgement` is the same for what comes back. `fold` says what a record changes, by `deltas`,
and `apply` changes it. The rest are parts of these.
"""
