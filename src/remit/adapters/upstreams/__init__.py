"""Tool servers as Remit reaches them: streamable HTTP and stdio children, in both wire eras.

Start with `build`, then `http` and `stdio`; `frames` is the wire both share.
"""
