"""Breaker resources: what is wrong with one is said where it stands, and what is right is what runs."""

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.resources import BreakerSpec, ResourceKind, ServerSpec
from remit.facts.breaker import Breaker, BreakerSubject, On
from remit.policy.compile import Bundle, compile_bundle
from tests.core.declaring import NOW, declare, lock_of, small

AGENT, SERVER, TOOL = BreakerSubject.AGENT, BreakerSubject.SERVER, BreakerSubject.TOOL


def made(spec: BreakerSpec) -> Assembled | AssemblyRefused:
    return assemble(small(declare("time", ServerSpec(("time",))), declare("b", spec), lock=lock_of(NOW)))


@pytest.mark.parametrize(
    ("spec", "code", "word"),
    [
        (BreakerSpec(On.DENIALS, SERVER, 3), "breaker/shape", "over an agent"),
        (BreakerSpec(On.CASCADE, AGENT, 3), "breaker/shape", "over a server"),
        (BreakerSpec(On.ERRORS, TOOL, 101), "breaker/shape", "1 to 100 per cent"),
        (BreakerSpec(On.IDENTICAL, AGENT, 1), "breaker/shape", "2 to 1000"),
        (BreakerSpec(On.DEPTH, AGENT, -1), "breaker/shape", "0 to"),
        (BreakerSpec(On.ERRORS, TOOL, 50, within_s=0), "breaker/shape", "within_s"),
        (BreakerSpec(On.ERRORS, TOOL, 50, open_s=float("inf")), "breaker/shape", "open_s"),
        (BreakerSpec(On.ERRORS, TOOL, 50, trials=0), "breaker/shape", "trials"),
        (BreakerSpec(On.ERRORS, TOOL, 50, of_least=0), "breaker/shape", "share"),
        (BreakerSpec(On.SLOW, TOOL, 50, slow_ms=-1), "breaker/shape", "slow"),
        (BreakerSpec(On.ERRORS, TOOL, 50, of="time/x"), "reference/unknown", "Tool"),
        (BreakerSpec(On.ERRORS, SERVER, 50, of="x"), "reference/unknown", "Server"),
        (BreakerSpec(On.ERRORS, AGENT, 50, of="x"), "reference/unknown", "Agent"),
    ],
)
def test_what_is_wrong_is_said(spec: BreakerSpec, code: str, word: str) -> None:
    result = made(spec)
    assert isinstance(result, AssemblyRefused)
    [problem] = result.errors
    assert problem.code == code
    assert word in problem.what


def test_what_is_right_runs_and_is_in_the_digest() -> None:
    right = BreakerSpec(On.ERRORS, TOOL, 50, "time/now", 10, 5, 2, 4)
    running, other = made(right), made(BreakerSpec(On.ERRORS, TOOL, 51))
    assert isinstance(running, Assembled)
    assert isinstance(other, Assembled)
    assert running.catalog.breakers["b"] == Breaker("b", On.ERRORS, TOOL, "time/now", 50, 10, 5, 2, 4)
    assert declare("b", right).kind is ResourceKind.BREAKER
    bundles = [compile_bundle(one.catalog).result for one in (running, other)]
    assert len({one.digest for one in bundles if isinstance(one, Bundle)}) == 2
