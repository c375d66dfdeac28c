"""Dry runs: what the catalog may say of them, what they are asked with, and how their answer is shown."""

from collections.abc import Mapping

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.manifests import spec_json
from remit.control.problems import WorkspaceProblem
from remit.control.resources import ServerSpec, ToolSpec
from remit.escalate import brief
from remit.escalate.foreseen import TEXT_CHARS_MAX, Foreseen, result_text
from remit.escalate.machine import Approval
from remit.facts.action import ActionKind
from remit.facts.canonical import Json
from remit.facts.preview import Preview
from remit.facts.tool import Argument, Definition, Effect, Idempotent
from remit.policy.compile import Bundle, compile_bundle
from tests.core.declaring import declare, lock_of, small


def taking(name: str, *arguments: str) -> Definition:
    schema: Mapping[str, Json] = {"type": "object", "properties": {one: {"type": "string"} for one in arguments}}
    return Definition(name, "", schema, None, {})


LOCK = lock_of(taking("write", "path", "text", "dry"), taking("plan", "file", "text"))
READS = ToolSpec(effect=Effect.READ)


def made(said_: Preview | None, plan: ToolSpec | None = READS, **more: object) -> Assembled | AssemblyRefused:
    spec = ToolSpec(effect=Effect.WRITE, preview=said_, **more)  # pyright: ignore[reportArgumentType]
    plans = () if plan is None else (declare("time/plan", plan),)
    return assemble(small(declare("time", ServerSpec(("x",))), declare("time/write", spec), *plans, lock=LOCK))


def refused(said_: Preview, plan: ToolSpec | None = READS, **more: object) -> tuple[WorkspaceProblem, ...]:
    found = made(said_, plan, **more)
    return found.problems if isinstance(found, AssemblyRefused) else ()


BY_ANOTHER = Preview(tool="plan", arguments={"file": "path", "text": "text"})


@pytest.mark.parametrize("fine", [BY_ANOTHER, Preview(tool="plan"), Preview(argument="dry", value="yes")])
def test_a_dry_run_is_shown_and_in_the_digest(fine: Preview) -> None:
    digests = set[str]()
    for one in (None, fine):
        found = made(one)
        assert isinstance(found, Assembled)
        bundle = compile_bundle(found.catalog).result
        assert isinstance(bundle, Bundle)
        digests.add(bundle.digest)
    assert len(digests) == 2
    assert spec_json(ToolSpec(preview=fine))["preview"] == fine.to_json()


@pytest.mark.parametrize(
    ("said_", "plan", "words"),
    [
        (Preview(), READS, "one of them"),
        (Preview(tool="plan", argument="dry"), READS, "one of them"),
        (Preview(argument="dry", arguments={"a": "b"}), READS, "go with another tool"),
        (Preview(argument="drie"), READS, "has no argument 'drie'"),
        (Preview(tool="plam"), READS, "no other tool 'plam'"),
        (Preview(tool="write"), READS, "no other tool 'write'"),
        (Preview(tool="plan"), None, "is not said to read only"),
        (Preview(tool="plan"), ToolSpec(), "is not said to read only"),
        (Preview(tool="plan"), ToolSpec(effect=Effect.WRITE), "is not said to read only"),
        (Preview(tool="plan", arguments={"path": "path"}), READS, "'time/plan' has no argument 'path'"),
        (Preview(tool="plan", arguments={"file": "file"}), READS, "'time/write' has no argument 'file'"),
    ],
)
def test_what_cannot_be_a_dry_run_is_refused(said_: Preview, plan: ToolSpec | None, words: str) -> None:
    (problem,) = refused(said_, plan)
    assert problem.code == "tool/preview"
    assert words in problem.what


def test_secrets_and_keys_of_requests_go_into_no_dry_run() -> None:
    (problem,) = refused(BY_ANOTHER, arguments={"text": Argument(secret=True)})
    assert "takes secrets" in problem.what
    (problem,) = refused(Preview(argument="dry"), idempotent=Idempotent(argument="path"))
    assert "by another tool" in problem.what
    assert not refused(Preview(argument="dry"), idempotent=Idempotent(meta="shop.example/key"))
    assert not refused(BY_ANOTHER, idempotent=Idempotent(argument="path"))


def test_what_it_is_asked_with() -> None:
    call: Mapping[str, Json] = {"path": "a", "text": "b", "more": 1}
    assert BY_ANOTHER.of("write", call) == ("plan", {"file": "a", "text": "b"})
    assert BY_ANOTHER.of("write", {"path": "a"}) == ("plan", {"file": "a"})
    assert Preview(tool="plan").of("write", call) == ("plan", call)
    assert Preview(argument="dry").of("write", {**call, "dry": False}) == ("write", {**call, "dry": True})


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"content": [{"type": "text", "text": "a\nb"}, {"type": "text", "text": "c"}]}, "a\nb\nc"),
        ({"content": [{"type": "image", "data": ""}, {"type": "text", "text": "a"}]}, "a\n(1 that are no text)"),
        ({"content": [], "structuredContent": {"b": 1, "a": "ü"}}, '{"a":"ü","b":1}'),
        ({"content": [{"type": "text", "text": "a"}], "structuredContent": {"a": 1}}, "a"),
        ({}, ""),
        ({"content": [{"type": "text", "text": "x" * 100_000}]}, "x" * TEXT_CHARS_MAX),
    ],
)
def test_what_is_read_of_its_answer(result: Mapping[str, Json], text: str) -> None:
    assert result_text(result) == text


def shown(found: Foreseen | None, **sizes: int) -> brief.BriefPreview | None:
    asked = Approval("r1-1.9", "h", "s", "bot", "ana", "time", "write", (), 0, 60_000)
    return brief.arrange(brief.BriefInput(asked, ActionKind.CALL_TOOL, [], [], [], 2, foreseen=found), **sizes).preview


def test_how_it_is_shown() -> None:
    assert shown(None) is None
    assert shown(Foreseen("time/plan", why="away")) == ("time/plan", (), (), "away")
    long = Foreseen("time/plan", "\n".join(["x" * 50, *"abcd"]), ("untrusted",))
    cut = ("xxxxxxxx … (38 more characters) … xxxx", "a", "b", "… 2 more lines")
    assert shown(long, chars_max=12, lines_max=3) == ("time/plan", cut, ("untrusted",), "")
    # No character of its own makes a line but the end of one: the others are shown as what they are.
    assert shown(Foreseen("t", "a\rb\u2028c\x0bd")) == ("t", ("a\rb\u2028c\x0bd",), (), "")
