"""What a browser is shown at `/`, and where there is nothing: what this is, and where people go. It says no secret."""

from remit.api.page.document import PREFIX, Send, page, send_on, send_page
from remit.api.page.html import Html, tag


async def send_front_page(send: Send, path: str) -> None:
    """Answer a browser that asks for `path`, which no other page is at."""
    if f"{path}/" == PREFIX:
        await send_on(send, PREFIX)
    else:
        await send_page(send, 200 if path == "/" else 404, front_page(found=path == "/"))


def front_page(*, found: bool) -> bytes:
    """The page; where it stands for one that is not `found`, it says so."""
    missing = () if found else (tag("p", tag("strong", "There is no page at this address.")),)
    return page(
        "the control plane for AI agents",
        tag("h1", "Remit: the control plane for AI agents"),
        *missing,
        tag("p", "It decides what agents may do, asks people what agents may not decide, and keeps the record."),
        tag("h2", "You are asked to decide something"),
        tag("p", tag("a", "All that waits for you", href=PREFIX), ": sign in with your user token."),
        tag("h2", "You run it, or want to know what agents did"),
        _paragraph(
            "That is done by commands: `remit doctor` says whether all is well, `remit logs` what happened, "
            "`remit --help` what else there is."
        ),
        tag("h2", "You connect an agent, or a program"),
        _paragraph(
            "Agents speak MCP at `/mcp`, with a token by `remit token agent NAME --user NAME`; programs JSON below "
            "`/api/v1/`; monitors ask `/healthz`, `/readyz` and `/metrics`."
        ),
        script=False,
    )


def _paragraph(words: str) -> Html:
    """`words`, what is typed of it between back quotes."""
    parts = words.split("`")
    return tag("p", *(tag("code", part) if number % 2 else part for number, part in enumerate(parts)))
