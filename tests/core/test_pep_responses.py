"""What of a client's answers goes on: the members of the protocol, and no word beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from remit.pep.responses import answers_to, is_bare
from remit.ports.upstream import Question

if TYPE_CHECKING:
    from collections.abc import Mapping

WHO = Question("elicitation/create", {})
THINK = Question("sampling/createMessage", {})
ROOTS = Question("roots/list", {})
TEXT = {"type": "text", "text": "Paris", "_meta": {"x": 1}}


PASSES: list[tuple[Question, Any, Any]] = [
    (WHO, {"action": "accept", "_meta": {"x": 1}, "more": "y"}, {"action": "accept"}),
    (WHO, {"action": "accept", "content": {"a": 1, "b": ["x"], "_meta": {"x": 1}, "c": [1]}},
     {"action": "accept", "content": {"a": 1, "b": ["x"]}}),
    (WHO, {"action": "cancel", "content": {"a": "smuggled"}}, {"action": "cancel"}),
    (WHO, {"action": {"all": "that I know"}}, {"action": "decline"}),
    (WHO, {"action": "all that I know"}, {"action": "decline"}),
    (WHO, {}, {"action": "decline"}),
    (THINK, {"role": "assistant", "model": "m", "content": TEXT, "_meta": {}, "action": "x"},
     {"role": "assistant", "model": "m", "content": {"type": "text", "text": "Paris"}}),
    (THINK, {"content": [TEXT]}, {"content": [{"type": "text", "text": "Paris"}]}),
    (ROOTS, {"roots": [{"uri": "file:///a", "name": "a", "_meta": {}}, 5], "action": "x"},
     {"roots": [{"uri": "file:///a", "name": "a"}, {}]}),
    (WHO, None, None),
    (Question("other", {}), {"action": "accept"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("question", "given", "passes"), PASSES)
def test_only_members_of_the_protocol_go_on(question: Question, given: Any, passes: Any) -> None:
    assert answers_to({"q": question}, {"q": given, "unasked": {"action": "accept"}}) == {"q": passes}


@pytest.mark.parametrize(
    ("question", "given", "bare"),
    [
        (WHO, {"action": "accept"}, True),
        (WHO, {"action": "decline", "content": {"a": 1}}, True),
        (WHO, None, True),
        (WHO, {"action": {"all": "that I know"}}, True),
        (WHO, {"action": "accept", "content": {"a": 1}}, False),
        (THINK, {"content": TEXT}, False),
        (ROOTS, {"roots": []}, False),
    ],
)
def test_yes_and_no_alone_are_bare(question: Question, given: Any, bare: bool) -> None:
    found: Mapping[str, Any] = answers_to({"q": question}, {"q": given})
    assert is_bare(found) is bare
