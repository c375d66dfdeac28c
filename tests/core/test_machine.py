"""The life of an approval: nothing but what its table says, and the diagram made from it."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from remit.escalate.machine import (
    MOVES,
    OPEN,
    UNDER_WAY,
    Approval,
    ApprovalMove,
    ApprovalState,
    Vote,
    refused,
    step,
    voted,
)
from remit.policy.verdict import Gate

FRESH = Approval(
    ident="r1-1.1",
    requested="sha256:0",
    sid="s",
    agent="a",
    user="u",
    server="web",
    name="fetch",
    gates=(Gate("p", "r", "t"),),
    opened_ms=0,
    expires_ms=1000,
)
ENDED = set(ApprovalState) - OPEN - UNDER_WAY


@pytest.mark.parametrize("state", list(ApprovalState))
@pytest.mark.parametrize("move", list(ApprovalMove))
def test_a_move_is_in_the_table_or_raises(state: ApprovalState, move: ApprovalMove):
    here = replace(FRESH, state=state)
    if (state, move) in MOVES:
        assert step(here, move) == replace(here, state=MOVES[state, move])
    else:
        with pytest.raises(KeyError):
            step(here, move)


def test_ended_states_end_and_every_state_is_reached():
    assert {state for state, _ in MOVES} == set(ApprovalState) - ENDED
    assert set(MOVES.values()) == set(ApprovalState)


def test_only_a_complete_approval_is_claimed_and_only_once():
    claims = [(state, target) for (state, move), target in MOVES.items() if move is ApprovalMove.CLAIM]
    assert claims == [(ApprovalState.APPROVED, ApprovalState.CLAIMED)]
    assert not UNDER_WAY & OPEN


def test_a_vote_replaces_an_earlier_one_of_the_same_person():
    once = voted(FRESH, Vote("x", 1, ("r",)), completes=False)
    twice = voted(once, Vote("x", 2, ("r", "q")), completes=False)
    assert [vote.at for vote in twice.votes] == [2]
    assert voted(twice, Vote("y", 3, ("r",)), completes=True).state is ApprovalState.APPROVED


def test_a_refusal_names_who():
    ended = refused(FRESH, "x")
    assert (ended.state, ended.refused_by) == (ApprovalState.DENIED, "x")


class Life(RuleBasedStateMachine):
    """Random walks over the table, against what a reader of the page would say."""

    def __init__(self) -> None:
        super().__init__()
        self.approval = FRESH
        self.claims = 0
        self.retries = 0
        self.lifted = False

    @rule(move=st.sampled_from(ApprovalMove))
    def go(self, move: ApprovalMove) -> None:
        before = self.approval
        if (before.state, move) not in MOVES:
            with pytest.raises(KeyError):
                step(before, move)
            return
        assert before.state not in ENDED
        self.approval = step(before, move)
        self.lifted = self.lifted or move in {ApprovalMove.COMPLETE, ApprovalMove.BREAK_GLASS}
        self.claims += move is ApprovalMove.CLAIM
        self.retries += move is ApprovalMove.RETRY

    @invariant()
    def used_at_most_once_unless_the_tool_knows_it_was_asked_before(self) -> None:
        assert self.claims <= 1 + self.retries
        used = {
            ApprovalState.CLAIMED,
            ApprovalState.EXECUTING,
            ApprovalState.SUCCEEDED,
            ApprovalState.FAILED,
            ApprovalState.UNKNOWN,
        }
        if self.approval.state in used:
            assert self.lifted
            assert self.claims == 1 + self.retries
        if self.approval.state in {
            ApprovalState.DENIED,
            ApprovalState.EXPIRED,
            ApprovalState.CANCELLED,
            ApprovalState.SUPERSEDED,
        }:
            assert self.claims == self.retries


Life.TestCase.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)
TestLife = Life.TestCase


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {ApprovalState.PENDING.value}"]
    lines += [f"    {state.value} --> {to.value}: {move.value}" for (state, move), to in MOVES.items()]
    moving = {state for state, _ in MOVES}
    lines += [f"    {state.value} --> [*]" for state in ApprovalState if state not in moving]
    return "\n".join(lines)


def test_the_documented_diagram_is_the_table():
    page = Path(__file__).parents[2] / "docs" / "reference" / "approvals.md"
    assert diagram() in page.read_text("utf-8"), "regenerate the diagram in approvals.md"
