"""Generated code judges; a sample is compared with cedarpy; the first difference ends the trust in it."""

import gc
from dataclasses import replace

import pytest

from remit.facts.action import ActionKind
from remit.pdp.decide import decide
from remit.policy import slice as slices
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.compiled.function import Judge, Outcomes, function_of
from remit.policy.compiled.shadow import Difference, Shadow
from remit.policy.verdict import Deny, Escalate, Permit
from tests.core.deciding import NOW, action, bundle, catalog, codes, decided, snapshot

ANYBODY = '@id("p") permit (principal, action, resource);'
GATE = '@id("g") @gate("owner") forbid (principal, action, resource) when { context.session.calls >= 0 };'
OVERFLOW = "context.session.calls + 9223372036854775807 + context.inputSize > 0"
BROKEN = f'@id("f") forbid (principal, action, resource) when {{ {OVERFLOW} }};'


def counted(running: Bundle, every: int, rounds: int) -> list[bool]:
    shadow = Shadow(every)
    return [shadow.due() for _ in range(rounds)]


def test_one_in_so_many_is_compared_the_first_among_them() -> None:
    running = bundle(ANYBODY)
    assert counted(running, 3, 7) == [True, False, False, True, False, False, True]
    assert counted(running, 1, 3) == [True, True, True]
    assert counted(running, 0, 3) == [False, False, False]
    assert bundle(ANYBODY).shadow.every == 1_000
    made = compile_bundle(catalog(ANYBODY), shadow_every=7).result
    assert isinstance(made, Bundle)
    assert made.shadow.every == 7


@pytest.mark.parametrize(
    "policies", [(ANYBODY,), (ANYBODY, GATE), (GATE,), (ANYBODY, BROKEN), (), (ANYBODY, GATE, BROKEN)]
)
@pytest.mark.parametrize("chain", [("ada",), ("ada", "bot")])
def test_both_say_the_same_and_nothing_is_reported(policies: tuple[str, ...], chain: tuple[str, ...]) -> None:
    running = bundle(*(policies or ("",)))
    asked = action(chain=chain)
    running.shadow.every = 0
    by_code = decide(snapshot(running, asked), asked, NOW)
    assert running.shadow.evaluations == len(chain)
    running.shadow.every = 1
    compared = decided(running, asked)
    # To the word: what is recorded must not tell whether it was compared, or a replay would say something else.
    assert (compared.verdict, compared.reasons) == (by_code.verdict, by_code.reasons)
    assert running.shadow.unreported is None


def wrong(policies: object, scope: object) -> Judge:
    """Code that is satisfied with everything."""

    def judge(*_: object) -> Outcomes:
        return [0], []

    return judge


def none(policies: object, scope: object) -> str:
    return "no generated form"


def test_the_first_difference_ends_the_trust_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "function_of", wrong)
    running = bundle('@id("p") permit (principal, action, resource) when { context.inputSize > 1000000 };')
    running.shadow.evaluations = 1
    assert decided(running, action()).verdict == Permit(), "the code is wrong, and was not compared"
    running.shadow.evaluations = running.shadow.every
    assert decided(running, action()).verdict == Deny(), "what cedarpy says counts"
    assert running.shadow.difference == Difference("ada", "shop___refund", "permit p", "nothing")
    for _ in range(3):
        assert decided(running, action()).verdict == Deny(), "code is not asked again"
    assert running.shadow.unreported == running.shadow.difference
    running.shadow.reported = True
    assert running.shadow.unreported is None


def test_cedarpy_judges_a_slice_without_code_gates_and_errors_included(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "function_of", none)
    assert decided(bundle(ANYBODY), action()).verdict == Permit()
    assert isinstance(decided(bundle(ANYBODY, GATE), action()).verdict, Escalate)
    assert decided(bundle(GATE), action()).verdict == Deny()
    hard = '@id("h") forbid (principal, action, resource);'
    assert decided(bundle(ANYBODY, GATE, hard), action()).verdict == Deny()
    failed = decided(bundle(ANYBODY, BROKEN), action())
    assert codes(failed) == {"policy/error"}
    assert "overflow" in failed.reasons[0].text
    assert "9223372036854775807" not in failed.reasons[0].text, "cedarpy tells values, which may be secret"
    assert bundle(ANYBODY).shadow.evaluations == 0


def test_cedarpy_judges_what_is_too_deep_to_be_read_where_it_is_asked_for() -> None:
    """`json` counts the calls under way: what was read when the bundle was compiled may be too deep for a decision."""
    long = " + ".join(["context.inputSize"] * 300)
    running = bundle(f'@id("p") permit (principal, action, resource) when {{ {long} > 3 }};')
    made: list[Judge | str] = []

    def called(more: int) -> None:
        if more:
            called(more - 1)
        else:
            made.append(running.slice("shop___look").generated())

    called(600)
    assert made == ["its conditions are nested too deeply to be read here"]
    assert decided(running, action("shop/look", {})).verdict == Permit()


def test_actions_with_the_same_policies_share_their_code(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def counting(policies: list[object], scope: tuple[str, ...]) -> Judge | str:
        made.append(len(policies))
        return function_of(policies, scope)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(slices, "function_of", counting)
    only = '@id("o") forbid (principal, action == Remit::Action::"web___fetch", resource);'
    running = bundle(ANYBODY, only)
    assert made == [], "nothing is generated before it is asked for"
    for name in ("shop/refund", "shop/look", "shop/refund"):
        decided(running, action(name, {"order_id": "1", "to": "x"} if name == "shop/refund" else {}))
    assert made == [1]
    decided(running, action("web/fetch", {"url": "x"}))
    assert made == [1, 2]


def test_an_unknown_label_of_a_session_changes_nothing() -> None:
    held_back = 'context.session.labels.contains(Remit::Label::"untrusted")'
    text = f'@id("p") permit (principal, action, resource) when {{ {held_back} }};'
    running = bundle(text)
    asked = action()
    held = snapshot(running, asked, labels=("untrusted:gone",))
    running.shadow.every = 1
    assert decide(held, asked, NOW).verdict == Permit()
    assert decide(replace(held, sessions=snapshot(running, asked).sessions), asked, NOW).verdict == Deny()
    assert running.shadow.difference is None


def test_what_could_not_be_evaluated_leaves_no_garbage_behind() -> None:
    """A fault that is kept keeps its call, and the collector's pauses are the slowest decisions there are."""
    running = bundle(ANYBODY, BROKEN)
    running.shadow.every = 0
    asked = action()
    decided(running, asked)
    gc.collect()
    gc.disable()
    try:
        assert codes(decided(running, asked)) == {"policy/error"}
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_what_was_asked_under_one_bundle_is_made_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    old = bundle(ANYBODY)
    decided(old, action())
    decided(old, action("bot", {}, kind=ActionKind.DELEGATE))
    assert old.asked == {"shop___refund", "delegate"}
    made: list[int] = []

    def counting(policies: list[object], scope: tuple[str, ...]) -> Judge | str:
        made.append(len(policies))
        return function_of(policies, scope)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(slices, "function_of", counting)
    new = bundle(ANYBODY, '@id("o") forbid (principal, action == Remit::Action::"web___fetch", resource);')
    turns: list[int] = []
    new.warm(old.asked | {"gone___tool"}, lambda: turns.append(1))
    assert (new.asked, made, len(turns)) == (old.asked, [1], 4)
    decided(new, action())
    assert made == [1]


def test_a_difference_is_told_as_a_record_keeps_it() -> None:
    assert Difference("ada", "call", "allow", "deny").members == {
        "principal": "ada",
        "generated": "allow",
        "cedar": "deny",
    }
