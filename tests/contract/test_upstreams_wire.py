"""The wire that HTTP and stdio share: framing under a bound, envelopes, defensive reading of tools."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp.shared.inbound import NAME_BEARING_METHODS, InboundModernRoute, classify_inbound_request, decode_header_value

from remit.adapters.upstreams import frames, requests
from remit.adapters.upstreams.lines import Lines
from remit.adapters.upstreams.messages import Ear, Hearing
from remit.adapters.upstreams.plain import headers_of
from remit.adapters.upstreams.replies import reply_of, unsent
from remit.adapters.upstreams.sse import Decoder, EventTooLargeError
from remit.adapters.upstreams.tool_list import Listing, read_tools
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Http, Server
from remit.facts.limits import DEFAULT, Limits
from remit.pep.release import clean, seal
from remit.ports.upstream import NO_CONTEXT, Era, Failure, Notice, Progress, Question, Result, UpstreamContext
from remit.trace.bodies import Status
from tests.upstreams.rig import ManualClock

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in the chunks that `places` make of it."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    starts = [0, *ends[:-1]]
    return [data[start:end] for start, end in zip(starts, ends, strict=True)]


@given(st.lists(st.binary(max_size=30).map(lambda one: one.replace(b"\n", b""))), st.lists(st.integers(0)))
def test_lines_are_the_same_however_they_arrive(lines: list[bytes], places: list[int]) -> None:
    framer = Lines(20)
    found: list[bytes | None] = []
    for chunk in cut(b"".join(line + b"\n" for line in lines), places):
        found += framer.feed(chunk)
    assert found == [None if len(line) > 20 else line.strip() for line in lines if len(line) > 20 or line.strip()]
    assert framer.skipped == 0


def test_an_endless_line_is_not_held() -> None:
    framer = Lines(100)
    for _ in range(1000):
        assert framer.feed(b"x" * 1000) == []
    assert framer.skipped == 1_000_000
    assert framer.feed(b"\nnext\n") == [None, b"next"]


EVENTS = st.lists(
    st.tuples(TEXT.filter(lambda text: not {"\n", "\r"} & set(text)), st.sampled_from(["\n", "\r\n", "\r"]))
)


@given(EVENTS, st.lists(st.integers(0)))
def test_events_are_the_same_however_they_arrive(events: list[tuple[str, str]], places: list[int]) -> None:
    stream = "".join(f": note{end}event: message{end}data: {text}{end}{end}" for text, end in events).encode()
    decoder = Decoder(10_000)
    found = [event.data.decode() for chunk in cut(stream, places) for event in decoder.feed(chunk)]
    assert found == [text for text, _ in events]


def test_ids_delays_and_data_of_several_lines() -> None:
    decoder = Decoder(1000)
    (first, second) = decoder.feed(b"retry: 250\nid: a\ndata:\n\nretry: soon\nid: b\0\ndata: {\ndata: }\n\nother\n\n")
    assert (first.data, first.ident, first.retry_ms) == (b"", "a", 250)
    assert (second.data, second.ident, second.retry_ms) == (b"{\n}", "a", 250)


@pytest.mark.parametrize("endless", [b"x" * 100, b"data: xx\n", b"data:\n"])
def test_an_event_above_the_bound_is_refused_before_it_ends(endless: bytes) -> None:
    decoder = Decoder(1000)
    for _ in range(9):
        assert decoder.feed(endless) == []
    with pytest.raises(EventTooLargeError):
        decoder.feed(endless * 90)


@given(st.text(st.characters(codec="utf-8"), min_size=1))
def test_names_survive_the_header_as_the_sdk_reads_it(name: str) -> None:
    value = frames.header_value(name)
    assert value.isascii()
    assert value.isprintable()
    assert decode_header_value(value) == name


@given(TEXT.filter(bool), st.dictionaries(TEXT, JSON, max_size=3))
def test_the_sdk_accepts_our_stateless_call(name: str, arguments: dict[str, Json]) -> None:
    try:
        sent = canonical(arguments)
    except ValueError:
        return
    asked = requests.call_request(name, sent)
    raw = frames.request(7, asked.method, asked.params(requests.meta(Era.STATELESS, 7, NO_CONTEXT)))
    assert sent in raw
    assert b"\n" not in raw
    body = json.loads(raw)
    headers = {key.lower(): value for key, value in headers_of("tools/call", name).items()}
    assert isinstance(classify_inbound_request(body, headers=headers), InboundModernRoute)
    assert body["params"]["name"] == name
    assert body["params"]["arguments"] == json.loads(sent)


@pytest.mark.parametrize("ident", [True, 1.0, "1", None, 2, [1]])
def test_only_the_very_id_answers(ident: Json) -> None:
    assert not frames.answers({"id": ident, "result": {}}, 1)
    assert frames.answers({"id": 1, "result": {}}, 1)


def test_a_notification_wants_no_answer_and_a_request_gets_one() -> None:
    said: list[bytes] = []
    hearing = Hearing(lambda: None, said.append)
    assert not hearing.hear({"method": "notifications/message"})
    assert not hearing.hear({"method": "ping", "id": True})
    assert said == []
    assert hearing.hear({"method": "ping", "id": "p"})
    assert not hearing.hear({"method": "sampling/createMessage", "id": 3})
    pong, refused = (json.loads(one) for one in said)
    assert pong == {"jsonrpc": "2.0", "id": "p", "result": {}}
    assert (refused["id"], refused["error"]["code"]) == (3, -32601)


def test_what_was_not_sent_shows_no_word_of_theirs() -> None:
    shown = clean(Failure("error", "ours", sent=False, upstream_text="INJECTED"))
    assert (shown.status, shown.value) == (
        Status.NOT_SENT,
        {"content": [{"type": "text", "text": "ours"}], "isError": True},
    )


def test_what_an_error_says_is_kept_apart_and_bounded() -> None:
    message: dict[str, Json] = {"id": 1, "error": {"code": 12, "message": "<b>" * 10_000}}
    outcome = frames.read("s", b"", message)
    assert isinstance(outcome, frames.ErrorFrame)
    assert outcome.failure.upstream_text is not None
    assert len(outcome.failure.upstream_text) == frames.UPSTREAM_TEXT_CHARS_MAX
    assert "<b>" not in outcome.failure.text


@pytest.mark.parametrize("code", [-32020, -32021, -32022, -32700, 7])
def test_a_server_names_what_a_client_lacks_under_the_code_for_that_alone(code: int) -> None:
    """Another is about our own envelope, and a client that reads it may take the call for one that was not made."""
    lacks: Json = {"elicitation": {}}
    error: Json = {"code": code, "message": "no", "data": {"requiredCapabilities": lacks}}
    outcome = frames.read("s", b"", {"id": 1, "error": error})
    assert isinstance(outcome, frames.ErrorFrame)
    assert outcome.failure.needs == (lacks if code == -32021 else {})
    shown = clean(outcome.failure)
    assert (shown.failed is not None) == (code == -32021)


@pytest.mark.asyncio
async def test_an_empty_cursor_is_the_end_of_the_tools() -> None:
    asked: list[str | None] = []

    async def page(cursor: str | None) -> tuple[int, frames.Outcome]:
        asked.append(cursor)
        result: dict[str, Json] = {"tools": [{"name": "t", "inputSchema": {}}], "nextCursor": "" if cursor else "2"}
        return 1, frames.ResultFrame(b"", result)

    listing = Listing(Server("s", Http("http://127.0.0.1/")), DEFAULT, ManualClock(), page)
    assert (await listing.tools()).dropped == {"t": "listed 2 times"}
    assert asked == [None, "2"]


def test_an_address_that_the_user_has_to_open_comes_with_the_error() -> None:
    address: dict[str, Json] = {
        "mode": "url",
        "elicitationId": "e",
        "url": "https://a.example/1",
        "message": "Log in",
    }
    asked: Json = [address, 7, {}]
    error: dict[str, Json] = {"code": -32042, "message": "Login required", "data": {"elicitations": asked}}
    outcome = frames.read("s", b"", {"id": 1, "error": error})
    assert isinstance(outcome, frames.ErrorFrame)
    assert outcome.failure.upstream_text == "Login required"
    assert outcome.failure.addresses == (Question("elicitation/create", address),)
    assert unsent(outcome.failure).addresses == ()
    odds: tuple[Json, ...] = (None, {"elicitations": "x"}, [])
    for data in odds:
        outcome = frames.read("s", b"", {"id": 1, "error": {**error, "data": data}})
        assert isinstance(outcome, frames.ErrorFrame)
        assert (outcome.failure.upstream_text, outcome.failure.addresses) == ("Login required", ())
    other = frames.read("s", b"", {"id": 1, "error": {**error, "code": -32000}})
    assert isinstance(other, frames.ErrorFrame)
    assert (other.failure.upstream_text, other.failure.addresses) == ("Login required", ())


def test_values_are_counted_before_a_message_is_read() -> None:
    few, many = frames.NODES_MAX - 2, frames.NODES_MAX + 1
    for item in (b"0", b"[]", b"{}", b'{"a":[]}', b'"a"', b'"a\\"b"'):
        assert frames.is_overfull(b'{"r":[' + b",".join([item] * many) + b"]}")
    assert not frames.is_overfull(b'{"r":[' + b",".join([b"0"] * few) + b"]}")
    marks = b'{"r":"' + b'[{,a\\"' * frames.NODES_MAX + b'"}'
    assert frames.parse(marks) is not None
    assert not frames.is_overfull(marks), "what stands in a text is no value"
    named = b'{"r":{' + b",".join(b'"%d":"x"' % number for number in range(few)) + b"}}"
    assert not frames.is_overfull(named)


def test_integers_of_any_length_are_read_as_they_are() -> None:
    for number in (2**53, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 10**300):
        assert frames.parse(b'{"a":[%d,"%d"]}' % (number, number)) == {"a": [number, str(number)]}
        assert seal({"a": number}) == b'{"a":%d}' % number
    for text in (b"1.5", b"12345678901234567890.5", b"1e22", b"-0.0", b"1234567890123456789e3"):
        found = (frames.parse(b'{"a":%s}' % text) or {})["a"]
        assert isinstance(found, float)
        assert found == float(text)
    for text in (b"1e400", b"1" * 400, b"NaN", b"01234567890123456789"):
        assert frames.parse(b'{"a":%s}' % text) is None
    assert frames.parse(b'{"a":"12345678901234567890 \\" 12345678901234567890","b":1}') is not None


def test_what_counts_or_names_has_numbers_that_every_reader_has() -> None:
    assert frames.ident_of({"id": 2**53 - 1}) == 2**53 - 1
    assert frames.ident_of({"id": 2**64}) is None
    told: list[Notice] = []
    ear = Ear(UpstreamContext(hear=told.append, log_level="info"))
    assert ear.progress({"progress": 1, "total": 2**64})
    assert not ear.progress({"progress": 2**64})
    assert not ear.log({"level": "info", "data": 2**64})
    assert told == [Progress(1, None, None)]


def test_null_is_no_error_beside_a_result_and_no_failure_of_a_tool() -> None:
    outcome = frames.read("s", b"", {"id": 1, "error": None, "result": {"content": [], "isError": None}})
    assert isinstance(outcome, frames.ResultFrame)
    assert reply_of("s", "tools/call", outcome) == Result({"content": [], "isError": None}, is_error=False)
    assert isinstance(frames.read("s", b"", {"id": 1, "error": None}), frames.ErrorFrame)
    assert isinstance(frames.read("s", b"", {"id": 1, "error": None, "result": None}), frames.ErrorFrame)


@pytest.mark.parametrize("error", ["no", 7, {}, {"code": True}, {"code": "x", "message": 3}])
def test_an_error_of_any_shape_is_a_failure(error: Json) -> None:
    outcome = frames.read("s", b"", {"id": 1, "error": error, "result": {"content": []}})
    assert isinstance(outcome, frames.ErrorFrame)
    assert outcome.failure.sent


@pytest.mark.parametrize(
    "result",
    [{}, {"content": {}}, {"content": ["x"]}, {"content": [], "isError": "no"}, {"content": [], "resultType": "task"}],
)
def test_a_result_of_the_wrong_shape_is_a_failure(result: dict[str, Json]) -> None:
    assert isinstance(reply_of("s", "tools/call", frames.ResultFrame(b"", result)), Failure)


def test_a_result_sheds_what_belongs_to_one_era() -> None:
    result: dict[str, Json] = {
        "content": [],
        "resultType": "complete",
        "ttlMs": 5,
        "cacheScope": "private",
        "structuredContent": {"resultType": "mine"},
        "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "x"}},
    }
    reply = reply_of("s", "tools/call", frames.ResultFrame(b"", result))
    assert reply == Result({"content": [], "structuredContent": {"resultType": "mine"}}, is_error=False)


@settings(max_examples=40)
@given(st.lists(JSON | st.fixed_dictionaries({"name": TEXT, "inputSchema": JSON}, optional={"annotations": JSON})))
def test_reading_tools_never_fails_and_names_stay_unique(found: list[Json]) -> None:
    tools = read_tools(found, DEFAULT)
    names = [definition.name for definition in tools.definitions]
    assert len(set(names)) == len(names)
    assert not set(names) & tools.dropped.keys()
    for definition in tools.definitions:
        assert definition.pin().startswith("sha256:")


def test_one_absurd_tool_of_two_hundred() -> None:
    schema: Json = {"type": "object"}
    found: list[Json] = [{"name": f"t{n}", "inputSchema": schema} for n in range(199)]
    absurd: Json = {"name": "absurd", "inputSchema": {"enum": [0] * 200_000}}
    tools = read_tools([*found[:100], absurd, *found[100:]], Limits())
    assert len(tools.definitions) == 199
    assert tools.dropped.keys() == {"absurd"}


def test_the_members_that_route_are_those_of_the_sdk_and_of_tasks() -> None:
    for method, member in {**NAME_BEARING_METHODS, "tasks/get": "taskId", "tasks/cancel": "taskId"}.items():
        assert requests.ask_request(method, {member: "größe", "other": 1}).name == "größe"
        assert requests.ask_request(method, {member: 7}).name is None
    assert requests.ask_request("prompts/list", {"name": "x", "uri": "y"}).name is None
