"""`make conformance`: the public MCP conformance suites against a conformant server, directly and through Remit.

Start with `runs`, the table of what is run and what is demanded; `checks` judges what a suite wrote; `play` runs a
suite; `install` makes suites and server from pinned packages; `stage` starts the server, Remit and the shim between.
"""
