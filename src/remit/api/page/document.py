"""A whole page, and the answer that carries it: under a policy that lets nothing else in."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from remit.api.page.html import Html, joined, tag
from remit.api.page.look import POLICY, SCRIPT, STYLE

PREFIX: Final = "/a/"
"""Under which the pages are for people who decide."""

Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]


def page(title: str, *inner: str, script: bool = True) -> bytes:
    """A whole document."""
    head = joined(
        (
            tag("meta", charset="utf-8"),
            tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
            tag("title", f"Remit: {title[:80]}"),
            Html(f"<style>{STYLE}</style>"),
        )
    )
    body = tag("body", tag("main", *inner), *((Html(f"<script>{SCRIPT}</script>"),) if script else ()))
    return f'<!doctype html><html lang="en"><head>{head}</head>{body}</html>'.encode()


async def send_page(send: Send, status: int, body: bytes) -> None:
    """Answer with a page."""
    await answer(send, status, body, b"text/html; charset=utf-8")


async def send_on(send: Send, path: str, *heads: tuple[bytes, bytes]) -> None:
    """Send the browser on to `path`."""
    await answer(send, 303, b"", b"text/plain", (b"location", path.encode("ascii")), *heads)


async def answer(send: Send, status: int, body: bytes, kind: bytes, *heads: tuple[bytes, bytes]) -> None:
    """Answer with `body`, under a policy that lets nothing else in."""
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode("ascii")),
        (b"content-security-policy", POLICY.encode("ascii")),
        (b"cache-control", b"no-store"),
        # With `no-referrer` a browser would send the Origin of its own forms as `null`.
        (b"referrer-policy", b"same-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        *heads,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
