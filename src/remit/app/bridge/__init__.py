"""`remit mcp`: a stdio client's way to the running service, and nothing more.

Lines from the client become POSTs with the bearer of a file, answers and events become lines.
There is no store, no policy and no upstream here: what the service refuses is refused, what it
does not answer is an error that says so. `message` reads a line, `wire` is one HTTP request,
`exchange` one request of the client's until its answer, `conversation` what the era before
2026-07-28 keeps between requests, `mirrored_headers` the arguments that go into headers too,
`relay` the loop over them.
"""
