"""Secrets among arguments, where nothing is recorded: `decide` judges none that nothing veils."""

from dataclasses import replace
from typing import Final

from remit.facts.action import Action, ActionKind
from remit.facts.veil import KEY_BYTES, Veil
from remit.policy.bundle import Bundle

_VEIL: Final = Veil(bytes(KEY_BYTES))
"""Its hashes are kept nowhere and need no secret; the same secrets have the same ones each time."""


def veiled(bundle: Bundle, action: Action) -> Action:
    """`action` with its secrets veiled, where the catalog of `bundle` declares some."""
    form = bundle.tools.get((action.server, action.name)) if action.kind is ActionKind.CALL_TOOL else None
    if form is None or not form.tool.secrets:
        return action
    return replace(action, veiled=_VEIL.over(form.tool, form.arguments, action.input))
