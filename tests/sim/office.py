"""The office: the server whose tools are under monitors, guarantees and obligations, as the workspace declares it.

What its obligations make of a call is said here a second time, in plain Python; what happened before, in `past`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from remit.facts.guarantee import Guarantee, NoFlow, Powers, Rate, Separation
from remit.facts.impact import Extractor, ImpactMeasure
from remit.facts.monitor import EventAggregate, Happening, Monitor, MonitorScope, Selector, When, Window
from remit.facts.tool import Effect, Sink

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OFFICE: Final = "office"
TOOLS: Final[Mapping[tuple[str, str], tuple[Effect, Sink, frozenset[str]]]] = {
    (OFFICE, "check"): (Effect.READ, Sink.NONE, frozenset()),
    (OFFICE, "wire"): (Effect.IRREVERSIBLE, Sink.EXTERNAL, frozenset()),
    (OFFICE, "draft"): (Effect.WRITE, Sink.INTERNAL, frozenset()),
    (OFFICE, "release"): (Effect.WRITE, Sink.INTERNAL, frozenset()),
    (OFFICE, "export"): (Effect.WRITE, Sink.EXTERNAL, frozenset()),
    (OFFICE, "look"): (Effect.READ, Sink.NONE, frozenset()),
}
EXPORTS_MAX: Final = 3
WIRED_MAX: Final = 100
DRAFTS_MAX: Final = 4
CAP: Final = 50
ADDRESS: Final = "eve@example.org"
"""It stands in all that the tool `look` says, and in what some agents would have drafted."""

POLICIES: Final = f"""
@id("unchecked") forbid (principal, action == Remit::Action::"office___wire", resource)
  when {{ !context.past.checked }};
@id("doubted") forbid (principal, action == Remit::Action::"office___wire", resource)
  when {{ context.past.doubted }};
@id("wired-enough") forbid (principal, action == Remit::Action::"office___wire", resource)
  when {{ context.past.wired.greaterThan(decimal("{WIRED_MAX}.0")) }};
@id("own-draft") forbid (principal, action == Remit::Action::"office___release", resource)
  when {{ context.past has drafter && context.past.drafter.agent == principal }};
@id("exports") forbid (principal, action == Remit::Action::"office___export", resource)
  when {{ context.past.exports >= {EXPORTS_MAX} }};
@id("caps") @obligation("cap:amount:{CAP}")
  permit (principal in Remit::Group::"staff", action == Remit::Action::"office___draft", resource);
@id("hides") @obligation("redact:email:note")
  permit (principal in Remit::Group::"staff", action == Remit::Action::"office___draft", resource);
@id("masks") @obligation("MASKS")
  permit (principal in Remit::Group::"staff", action == Remit::Action::"office___look", resource);
"""
MASKS: Final = "mask:email"
UNKNOWN: Final = "blur:email"
"""What no version of Remit reads."""


def _on(*tools: str, when: When = When.STARTED) -> tuple[Happening, ...]:
    return (Happening(_tools(*tools), when),)


def _tools(*names: str) -> Selector:
    return Selector(tools=frozenset(f"{OFFICE}/{name}" for name in names))


LATELY: Final = Window(500, 60)
WHILE: Final = Window(2_000, 60)
MONITORS: Final[Mapping[str, Monitor]] = {
    one.name: one
    for one in (
        Monitor("checked", EventAggregate.ONCE, _on("check", when=When.SUCCEEDED), by="to", awaited=True),
        Monitor(
            "doubted", EventAggregate.SINCE, _on("check", when=When.FAILED), unless=_on("check", when=When.SUCCEEDED)
        ),
        Monitor(
            "drafter",
            EventAggregate.PREVIOUS,
            _on("draft", when=When.SUCCEEDED),
            MonitorScope.FLEET,
            WHILE,
            by="to",
            awaited=True,
        ),
        Monitor("exports", EventAggregate.COUNT, _on("export"), MonitorScope.FLEET, LATELY),
        Monitor("wired", EventAggregate.SUM, _on("wire", when=When.SUCCEEDED), measure="amount"),
    )
}
GUARANTEES: Final[Mapping[str, Guarantee]] = {
    one.name: one
    for one in (
        Guarantee("drafts", "ann", Rate(_tools("draft"), DRAFTS_MAX, LATELY)),
        Guarantee("apart", "ann", Separation((_tools("check"), _tools("export")), MonitorScope.FLEET, WHILE, by="to")),
        Guarantee("three", "ann", Powers((_tools("wire"), _tools("release"), _tools("export")), WHILE)),
        Guarantee("inside", "ann", NoFlow(frozenset({"confidential"}), frozenset({"external"}))),
    )
}
IMPACT: Final = {"wire": {"amount": Extractor("$.amount", ImpactMeasure.NUMBER)}}


def shaped(tool: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the obligations of whoever is permitted make of a call of the office's `tool`."""
    if tool != "draft":
        return given
    note = str(given["note"]).replace(ADDRESS, "[redacted email]")
    return {**given, "amount": min(given["amount"], CAP), "note": note}


def is_obliged(agents: Iterable[str], staff: frozenset[str]) -> bool:
    """Whether some agent of the chain is permitted by a policy that obliges; who only observes is not."""
    return not staff.isdisjoint(agents)
