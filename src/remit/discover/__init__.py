"""Finding agents, wherever they run.

Every source hands over a `sighting`; the `inventory` is their one fold. What is computed when somebody looks: which
names are one (`identity`), what is true of an entry (`conditions`), and the entry as people see it (`view`).
`reconcile` pairs what was seen with the ledger: what has no record went around enforcement.
"""
