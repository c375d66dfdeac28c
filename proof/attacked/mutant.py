"""`python -m proof.attacked.mutant NAME up …`: `remit` with one of its checks removed."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


def put(at: object, name: str, value: object) -> None:
    """Have `at` hold `value` under `name`, where it holds something now."""
    assert hasattr(at, name), f"there is no {name} any more"
    setattr(at, name, value)


def always(value: object) -> Callable[..., object]:
    """What answers `value` to everything."""
    return lambda *_, **__: value


def _revoked_tokens_count() -> None:
    from remit.api.authenticator import Authenticator
    from remit.pep.memory import Memory

    put(Authenticator, "revoke", always(None))
    put(Memory, "revoked", always(False))  # noqa: FBT003


def _results_bring_no_labels() -> None:
    from dataclasses import replace

    from remit.pdp.judge import judge_result as judged
    from remit.pep import ending, judging

    def bare(*args: Any, **more: Any) -> Any:
        return replace(judged(*args, **more), labels=frozenset())

    for module in (ending, judging):
        put(module, "judge_result", bare)


def _pins_always_match() -> None:
    from remit.pdp.snapshot import Pin
    from remit.pep import pins

    put(pins, "_compare", always(Pin.MATCHES))


def _signatures_are_not_checked() -> None:
    from remit.adapters import signer

    put(signer.jws, "deserialize_compact", always(None))
    put(signer.Ed25519Signer, "_key", always(SimpleNamespace(key=None)))


MUTANTS: Final[dict[str, tuple[str, str, Callable[[], None]]]] = {
    "revoked": ("ASI03", "a revoked token goes on counting", _revoked_tokens_count),
    "labels": ("ASI01", "results bring no labels into a session", _results_bring_no_labels),
    "pins": ("ASI04", "a live tool is never compared with its pin", _pins_always_match),
    "signatures": ("ASI03", "a token's signature is not looked at", _signatures_are_not_checked),
}
"""By name: the risk whose attempts should notice, the check that is missing, and how it is taken away."""


if __name__ == "__main__":
    MUTANTS[sys.argv.pop(1)][2]()
    from remit.app.main import main

    main()
