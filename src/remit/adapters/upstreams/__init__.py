"""Tool servers as Remit reaches them: streamable HTTP and stdio children, in both wire eras.

The main path of a call: `transport` takes the step and its limit, `wire` is the connection it asks (`plain`,
`handshake` or `child`), `frames` and `requests` are its bytes, `replies` what the answer means. Beside it: `messages`
says whose each message is, `open_call` keeps a call open while the client is asked, `early_questions` what is asked
before any, `opening` has its user open addresses first, `era_changes` and `subscriptions` tell of changes. `http` and
`stdio` say how a connection is reached; `build` picks one of them.
"""
