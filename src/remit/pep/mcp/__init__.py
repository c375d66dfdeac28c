"""The MCP enforcement point: streamable HTTP in both eras, as a raw ASGI application.

Read `app` first: it checks where a request comes from and who sends it, reads the body once, and
hands it to `stateless` (2026-07-28) or `handshake` (2025-03-26 to 2025-11-25). Both ask the
driver and know nothing of policy.
"""
