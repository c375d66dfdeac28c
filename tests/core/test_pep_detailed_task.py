"""What a server says of a task: known members of known types pass, everything else withholds the whole."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.canonical import canonical
from remit.facts.capability import NEEDS_TASKS, TASKS, asked_of_clients, of_stateless_clients, takes_tasks
from remit.pep.detailed_task import TASK_MS_MAX, read, read_end
from remit.pep.release import Odd
from remit.ports.upstream import Failure, Result

TASK: dict[str, Any] = {
    "taskId": "t",
    "status": "working",
    "createdAt": "2026-07-28T10:30:00Z",
    "lastUpdatedAt": "2026-07-28T10:30:00Z",
    "ttlMs": None,
}
MEMBERS = {"status", "statusMessage", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs"}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
STATUSES = st.sampled_from(("working", "input_required", "completed", "failed", "cancelled"))


@given(
    st.fixed_dictionaries(
        {"status": STATUSES | VALUES},
        optional={
            name: VALUES
            for name in (*TASK, "statusMessage", "pollIntervalMs", "inputRequests", "result", "error", "more", "_meta")
            if name != "status"
        },
    )
)
def test_whatever_it_says_only_known_members_of_known_types_pass(said: dict[str, Any]) -> None:
    try:
        found = read_end({**TASK, **said})
    except Odd:
        return
    assert found.shown.keys() <= MEMBERS
    assert canonical(found.shown), "it has a JSON form"
    assert 0 < found.ttl_ms <= TASK_MS_MAX
    assert (found.end is None) == (found.shown["status"] in {"working", "input_required"})
    assert not found.questions or found.shown["status"] == "input_required"


@pytest.mark.parametrize(
    "said",
    [
        {"taskId": "x" * 1_025},
        {"status": "input_required", "inputRequests": []},
        {"status": "input_required", "inputRequests": {"k" * 257: {"method": "roots/list"}}},
        {"status": "input_required", "inputRequests": {str(n): {"method": "roots/list"} for n in range(33)}},
        {"ttlMs": 0},
        {"ttlMs": True},
        {"pollIntervalMs": -1},
        {"lastUpdatedAt": "2026-07-28T10:30:00Z and more"},
        {"createdAt": "٢٠٢٦-07-28T10:30:00Z"},
        {"status": "completed", "result": {"isError": "no"}},
        {"status": "failed", "error": {"code": True, "message": "m"}},
    ],
)
def test_what_is_not_as_the_extension_says_is_withheld_whole(said: dict[str, Any]) -> None:
    with pytest.raises(Odd):
        read_end({**TASK, **said})


def test_a_handle_says_nothing_of_an_end() -> None:
    found = read({**TASK, "status": "completed", "result": {"content": []}, "ttlMs": 10**9})
    assert (found.end, found.ttl_ms) == (None, TASK_MS_MAX)
    assert found.shown.keys() <= MEMBERS


def test_an_end_is_a_result_or_a_failure() -> None:
    done = read_end({**TASK, "status": "completed", "result": {"content": [], "isError": True}}).end
    assert isinstance(done, Result)
    assert done.is_error
    failed = read_end({**TASK, "status": "failed", "error": {"code": -1, "message": "m", "data": {}}}).end
    assert isinstance(failed, Failure)
    assert (failed.code, failed.upstream_text) == (-1, "m")
    assert isinstance(read_end({**TASK, "status": "cancelled"}).end, Failure)


def test_the_extension_is_declared_by_name_and_for_its_era_alone() -> None:
    declared: dict[str, Any] = {"extensions": {TASKS: {"more": 1}, "other/one": {}}, "elicitation": {}, "odd": {}}
    assert of_stateless_clients(declared) == {"elicitation": {}, **NEEDS_TASKS}
    assert asked_of_clients(declared) == {"elicitation": {}}
    none: list[Any] = [None, {}, {"extensions": []}, {"extensions": {TASKS: True}}, {"extensions": {}}, {"tasks": {}}]
    for given_ in none:
        assert not takes_tasks(given_)
        assert of_stateless_clients(given_) == {}
