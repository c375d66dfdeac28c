"""How people decided, as figures; and which habits could be rules."""

from collections.abc import Mapping

from remit.escalate.attention import SAME_MIN, AskRecord, Figures, VoteTiming, figures, proposals
from remit.facts.canonical import Json


def test_figures_of_each_person_and_route() -> None:
    said = [
        VoteTiming("sam", "owner", approved=True, took_ms=1_000),
        VoteTiming("sam", "owner", approved=True, took_ms=2_999),
        VoteTiming("sam", "owner", approved=False, took_ms=9_000),
        VoteTiming("sam", "owner", approved=True, took_ms=3_000, edited=True),
        VoteTiming("ana", "owner", approved=True, took_ms=5_000),
    ]
    assert figures(said) == (
        Figures("sam", "owner", 4, 3, 2_999, 2, 1),
        Figures("ana", "owner", 1, 1, 5_000, 0, 0),
    )
    assert figures([]) == ()


def ask(given: Mapping[str, Json], *, approved: bool = True, edited: bool = False, agent: str = "clerk") -> AskRecord:
    return AskRecord(agent, "mail/send", ("ask",), given, approved, edited)


SAME: dict[str, Json] = {"to": "boss@shop.example", "urgent": True, "count": 3}


def test_what_was_approved_unedited_every_time_could_be_a_rule() -> None:
    asks = [ask({**SAME, "text": f"mail {at}"}) for at in range(SAME_MIN)]
    (found,) = proposals(asks)
    assert (found.asks, found.spared, found.constants) == (SAME_MIN, SAME_MIN, ("count", "to", "urgent"))
    assert found.cedar == (
        'unless { principal == Remit::Agent::"clerk" && context.input has count && context.input.count == 3 && '
        'context.input has to && context.input.to == "boss@shop.example" && '
        "context.input has urgent && context.input.urgent == true }"
    )


def test_nothing_is_proposed_where_somebody_said_no_or_changed_something_or_it_is_never_the_same() -> None:
    many = [ask(SAME) for _ in range(SAME_MIN)]
    assert proposals(many[1:]) == ()
    assert proposals([*many, ask(SAME, approved=False)]) == ()
    assert proposals([*many, ask(SAME, edited=True)]) == ()
    assert proposals([ask({"to": f"a{at}"}) for at in range(SAME_MIN)]) == ()
    # What a policy cannot name, or would read as something else.
    odd_ones: list[Mapping[str, Json]] = [
        {"odd name": "x"},
        {"to": 'quo"te'},
        {"to": "\u202e"},
        {"to": ["x"]},
        {"to": None},
        {"to": 1.5},
    ]
    for odd in odd_ones:
        assert proposals([ask(odd) for _ in range(SAME_MIN)]) == (), odd
    # One and true are the same to Python alone.
    assert proposals([*(ask({"n": 1}) for _ in range(SAME_MIN)), ask({"n": True})]) == ()


def test_habits_are_of_an_agent_a_tool_and_its_gates_those_that_spare_most_first() -> None:
    asks = [*(ask(SAME, agent="a") for _ in range(SAME_MIN)), *(ask(SAME, agent="b") for _ in range(SAME_MIN + 1))]
    assert [one.agent for one in proposals(asks)] == ["b", "a"]
