"""FastMCP's own proxy before the same upstream, in its quickest settings; runs in an environment of its own.

`python fastmcp_proxy.py PORT UPSTREAM_URL`, with the interpreter that `bench/peers/fastmcp.txt` is installed for.
"""

from __future__ import annotations

import sys

from fastmcp.server import create_proxy  # pyright: ignore[reportMissingImports,reportUnknownVariableType]


def main() -> None:
    """Serve until killed."""
    proxy = create_proxy(sys.argv[2], name="proxy")  # pyright: ignore[reportUnknownVariableType]
    proxy.run(  # pyright: ignore[reportUnknownMemberType]
        transport="http",
        host="127.0.0.1",
        port=int(sys.argv[1]),
        path="/mcp",
        show_banner=False,
        log_level="error",
        stateless_http=True,
        json_response=True,
        uvicorn_config={"access_log": False},
    )


if __name__ == "__main__":
    main()
