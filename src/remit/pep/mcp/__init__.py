"""The MCP enforcement point: streamable HTTP in both eras, as a raw ASGI application.

Read `app` first: it checks where a request comes from and who sends it, reads the body once, and hands it
to `stateless` (2026-07-28) or `handshake` (2024-11-05 to 2025-11-25). `methods` is the table that both
dispatch by: what is not in it is denied. What is governed becomes an ask (`asks`), which `dispatcher` puts to
the driver; neither era knows anything of policy.

An answer is a `pending_response`, which may turn into a stream. What a server asks back is an answer with a sealed
state in the one era (`request_state`) and a request on the call's own stream in the other (`client_requests`,
`replay`). Changes come by `upstream_watches`, on streams that stand (`event_stream`): `subscriptions_listen` opens
them in the one era, `connection_subscriptions` is what a connection of the other hears of.
"""
