"""A thousand bad days before the first real one: seeded, in one process, the same every time.

`make sim SEED=n` plays one and tells its story. The real driver, decision point and ledger run on a simulated loop
(`loop`) and disk (`life`), between clients (`agents`), servers (`servers`) and people (`people`) that do what they
should and what they should not. `laws` holds three records beside each other that know nothing of each other: what
servers were asked, what clients read, and what lies on disk (`witness`); `realm` says in plain Python what the
workspace means, `allowed` whether it or people (`consent`) let something pass. Laws of their own are `past`, `duties`,
`halting`, `stores`, `proofs`, `telling`, `answers` and `origins`, and those of the whole file `after`; who is beside
a process is `beside`. `world` is one seed, whose agents have one of the `trades`; `mutants` are the laws switched off
one by one.
"""
