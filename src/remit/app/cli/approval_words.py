"""What the commands of approvals say: a row of the list, what comes next, how one stands after a decision."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from remit.app.settings import service_url
from remit.app.terminal.output import Format, data, say
from remit.escalate.machine import OPEN, ApprovalState
from remit.escalate.wording import RUNS

_OPEN: Final = frozenset(state.value for state in OPEN)


def row(item: Mapping[str, Any]) -> dict[str, Any]:
    """`item` as the list shows it."""
    from remit.app.cli.card import left, steady

    state = f"{item['state']}, void: {item['void']}" if item["void"] else item["state"]
    glass = item["glass"]
    if glass is not None:
        state += f", GLASS BROKEN by {glass['by']}" + ("" if glass["reviewed_by"] else ", not reviewed")
    return {
        **item,
        "state": state,
        "what": steady(item["what"] or item["tool"]),
        "left": left(item["expires"], datetime.now(UTC)).removesuffix(" left") if item["state"] in _OPEN else "",
        "gates": [f"{gate['policy']} ({gate['route']})" for gate in item["gates"]],
        "yes": [vote["by"] for vote in item["votes"]],
    }


def say_how(approval: Mapping[str, Any]) -> None:
    """What the person says next."""
    ident, edit = approval["id"], approval["edit"]
    page = f"{service_url()}/a/{ident}"
    if not approval["may_approve"]:
        say(f"  whoever may decides it with his own token: on {page}, or by remit approvals approve|deny {ident}")
        return
    shown_option = "" if edit is None else f" --shown {approval['nonce']}"
    agree = f"remit approvals approve {ident}{shown_option}"
    if approval.get("by_passkey", False):
        agree = f"with your passkey, on the page /a/{ident}"
    say(f"  to agree: {agree}")
    say(f"  to refuse: remit approvals deny {ident} --reason REASON")
    if not approval.get("by_passkey", False):
        say(f"  or on its page: {page}")


def say_how_it_stands(answer: Mapping[str, Any], output: Format) -> None:
    """Say how `answer` stands after somebody's word."""
    if output in {Format.JSON, Format.YAML}:
        data(answer, output)
        return
    say(f"{answer['id']} is now {answer['state']}")
    if answer["state"] == ApprovalState.APPROVED.value:
        from remit.app.cli.card import left

        say(f"  {RUNS}, {left(answer['expires'], datetime.now(UTC))}")
    if answer["state"] == ApprovalState.CLAIMED.value:
        say("  the agent waited for it, and its call runs by it")
    if answer["state"] == ApprovalState.PENDING.value:
        from remit.app.cli.card import standing

        for line in standing(answer):
            say(f"  {line}")


def say_what_is_granted(given: Mapping[str, Any]) -> None:
    """Say what the grant `given` lifts, or that it does not yet."""
    week, bounds = given["last_week"], f"until {given['expires']}, {given['uses_max']} uses at most"
    if given["ended"] is None:
        say(f"granted as {given['id']} {bounds}; to end it: remit grants revoke {given['id']}")
    else:
        say(f"said as {given['id']}, and it lifts nothing yet: {given['ended']}")
    say(f"  of {week['of']} asks of last week it would have covered {week['count']}")
