"""A thousand bad days before the first real one: seeded, in one process, the same every time.

`make sim SEED=n` plays one and tells its story. The real driver, decision point and ledger run on a simulated loop
(`loop`) and disk (`life`), between clients (`agents`), servers (`servers`) and people (`people`) that do what they
should and what they should not. `laws` holds three records beside each other that know nothing of each other: what
servers were asked, what clients read, and what lies on disk (`witness`); `realm` says in plain Python what the
workspace means. `world` is one seed, `mutants` are the laws switched off one by one.
"""
