"""Labels follow data through stores, whoever wrote it and however its key is spelt."""

import time
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.facts.action import Action, ActionKind, Within
from remit.facts.address import written_out
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import Catalog
from remit.facts.record import RecordKind, Ref
from remit.facts.store import KEY_CHARS_MAX, KEYS_MAX, RAW_CHARS_MAX, SEGMENTS_MAX, Store, normal, places
from remit.facts.tool import Effect, Tool
from remit.pdp.decide import decide
from remit.pdp.decision import Append
from remit.pdp.deltas import PlaceLabelled
from remit.pdp.fold import fold
from remit.pdp.result_judgement import judge_result
from remit.pdp.snapshot import Snapshot
from remit.pep.decision_effects import reached_of
from remit.pep.operation import complete, get_prompt, list_offers
from remit.policy.compile import Bundle
from remit.ports.upstream import Offer
from remit.protect import stores as stores_module
from remit.protect.stores import LIST_ARGUMENTS, NOTHING, Stores
from remit.trace.bodies import ExchangeBody, Status, StoreWrite
from tests.core.deciding import NOW, action, body, bundle, catalog, schema, snapshot, tool

ANYONE = '@id("any")\npermit (principal, action, resource);'
PATH = schema(path={"type": "string"}, paths={"type": "array", "items": {"type": "string"}})
WEB = frozenset({"untrusted", "untrusted:web"})
SECRET = frozenset({"confidential"})


def kept(name: str, store: Store | None, effect: Effect = Effect.WRITE) -> Tool:
    return replace(tool("shop", name, PATH, effect=effect), store=store)


def shop(*more: Tool) -> Catalog:
    return catalog(
        ANYONE,
        tools=(
            kept("save", Store("notes", ("path",))),
            kept("put", Store("notes", ("path",), reads=False)),
            kept("load", Store("notes", ("path",), writes=False), Effect.READ),
            kept("find", Store("notes", writes=False), Effect.READ),
            replace(tool("shop", "strange", PATH), catalogued=False),
            *more,
        ),
    )


RUNNING = bundle(shop())


def ask(name: str, given: Mapping[str, Json] | None = None, kind: ActionKind = ActionKind.CALL_TOOL) -> Action:
    return action(f"shop/{name}", {"path": "a/b"} if given is None else given, kind=kind)


def taken(held: Stores, asked: Action, *labels: str, running: Bundle = RUNNING) -> tuple[Snapshot, StoreWrite | None]:
    """The snapshot of an action and what its intent writes; the stores take it in as memory does."""
    seen = replace(snapshot(running, asked, labels=labels), stores=held.labels_for(running, asked))
    recorded = body(decide(seen, asked, NOW))
    for delta in fold(Ref("r1-1", 2), NOW, RecordKind.INTENT, recorded):
        if isinstance(delta, PlaceLabelled):
            held.label(delta.where, delta.labels)
    return seen, recorded.stored


SPELT = [
    "Notes/Über Plan.md",
    "./notes//über plan.md/",
    "NOTES/U\u0308BER PLAN.MD",
    "/notes/x/../über%20plan.md",
    "file:///notes/%C3%9Cber%20Plan.md?version=2#top",
    "notes\\\u200büber plan.md ",
    "%6eotes/%2525/../u\uff42er plan.md".replace("u\uff42er", "ü\uff42er"),
]


@pytest.mark.parametrize("spelt", SPELT)
def test_a_key_is_one_however_it_is_spelt(spelt: str) -> None:
    assert normal(spelt) == "notes/über plan.md"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://Shop.Example:443/a/?x=1", "shop.example/a"),
        ("http://user:word@shop.example:80/a#b", "HTTP://SHOP.EXAMPLE/a/"),
        ("http://127.1/a", "http://127.0.0.1/a"),
        ("http://0x7f.1:8080/a", "http://127.0.0.1:8080/a"),
        ("http://2130706433./a", "http://0177.0.0.1/a"),
        ("\uff29\uff24\uff0d\uff17", "id-7"),
        ("Straße", "STRASSE"),
        ("#general", "general"),
        ("'a'", "a."),
        ("file:a", "file/a"),
        ("07", "7"),
        ("+7.0", "\u0667"),
        ("0x1F", "3_1"),
        ("1e3", "1000"),
        ("1.50", "1.5"),
        ("~/a", "$HOME/a"),
    ],
)
def test_urls_and_names_are_one_however_they_are_spelt(first: str, second: str) -> None:
    assert normal(first) == normal(second) != ""


@given(st.text(max_size=80))
def test_the_normal_spelling_is_its_own(text: str) -> None:
    key = normal(text)
    assert normal(key) == key
    assert ":" not in key
    assert len(key) <= KEY_CHARS_MAX


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("d/x\\..\\..\\a", "d"),
        ("d/%2e%2e/a", "d"),
        ("d/x%2fy/../a", "d/a"),
        ("a/b", "a/*"),
        ("a/b.txt", "a/[a-z].txt"),
        ("a/b", "n*/b"),
        ("a/b", "?"),
        ("a/*", "a/b"),
        ("a/{b,c}", "a/b"),
        ("~/notes", "/home/ann/notes"),
        ("/home/ann/notes", "~/notes"),
        ("/home/ann/notes", "~"),
        ("rows:7", "07"),
        ("a#top", "a"),
        ("a;v=1", "a"),
        ("a::$DATA", "a"),
        ("mailto:bob@example.org", "bob@example.org"),
    ],
)
def test_no_way_to_tell_a_key_leaves_its_labels_behind(written: str, read: str) -> None:
    held = Stores()
    taken(held, ask("put", {"path": written}), "confidential")
    assert held.labels_for(RUNNING, ask("load", {"path": read})).labels == SECRET


def test_what_an_earlier_version_spelt_otherwise_is_found() -> None:
    held = Stores({"notes:rows:07": SECRET, "notes:d/*": SECRET})
    for read in ("rows:7", "d/any", "07"):
        assert held.labels_for(RUNNING, ask("load", {"path": read})).labels == SECRET
    assert held.labels_for(RUNNING, ask("load", {"path": "e"})).labels == frozenset()


def test_percent_signs_within_percent_signs_mean_the_whole_store() -> None:
    assert normal("%2525252561") == ""
    assert normal("%252561") == "a"


def test_what_names_no_key_means_the_whole_store() -> None:
    one = Store("notes", ("path", "paths"))
    assert places(Store("notes"), {"path": "a"}) == ("notes:",)
    assert places(one, {}) == ("notes:",)
    assert places(one, {"path": "a", "paths": {"b": 1}}) == ("notes:",)
    assert places(one, {"path": "/", "paths": ["a"]}) == ("notes:",)
    assert places(one, {"path": "/".join("x" * (SEGMENTS_MAX + 1)), "paths": "b"}) == ("notes:",)
    assert places(one, {"path": "a", "paths": [str(number) for number in range(KEYS_MAX)]}) == ("notes:",)
    assert places(one, {"path": "a", "paths": ["b", "c", "b"]}) == ("notes:a", "notes:b", "notes:c")


def test_keys_that_are_no_texts_are_keys_too() -> None:
    one = Store("rows", ("id",))
    assert [places(one, {"id": value}) for value in (7, 7.0, "7", 7.5, True, False)] == [
        *[("rows:7",)] * 3,
        ("rows:7.5",),
        ("rows:true",),
        ("rows:false",),
    ]


def test_a_long_key_means_the_whole_store() -> None:
    long = "/".join(["notes", *["b" * 200] * 3])
    assert normal(long) == normal("x" * (KEY_CHARS_MAX + 1)) == ""
    assert normal("x" * KEY_CHARS_MAX) == "x" * KEY_CHARS_MAX
    assert normal("a" + "/" * KEY_CHARS_MAX) == "a"
    held = Stores()
    taken(held, ask("put", {"path": long}), "confidential")
    for read in ("notes", f"notes/{'b' * 200}", f"/srv/{long}", long):
        assert held.labels_for(RUNNING, ask("load", {"path": read})).labels == SECRET


def test_of_long_spellings_nothing_is_kept() -> None:
    tracemalloc.start()
    try:
        for number in range(40):
            assert normal(f"http://host/{number}?{number}" + "x" * 10_000) == f"host/{number}"
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held_bytes < 200_000


def test_a_text_too_long_for_a_key_means_the_whole_store() -> None:
    one = Store("notes", ("path",))
    assert places(one, {"path": "a" + "/" * (RAW_CHARS_MAX - 1)}) == ("notes:a",)
    assert places(one, {"path": "a" + "/" * RAW_CHARS_MAX}) == ("notes:",)
    # It is not even looked at: what goes up as often as down would take the square of its length.
    begun = time.thread_time()
    assert places(one, {"path": "a/" * 200_000 + "../" * 200_000}) == ("notes:",)
    assert time.thread_time() - begun < 1.0


def test_marks_in_another_order_are_the_same_key() -> None:
    assert normal("a" + "\u0301" * 40 + "\u0327" * 40) == normal("a" + "\u0327" * 40 + "\u0301" * 40)


def test_what_a_labelled_session_wrote_gives_its_labels_to_whoever_reads_it() -> None:
    held = Stores()
    seen, stored = taken(held, ask("put"), "untrusted:web")
    assert (seen.stores.writes, stored) == (("notes:a/b",), StoreWrite(("notes:a/b",), ("untrusted", "untrusted:web")))
    reading = replace(ask("load", {"path": "./A//b"}), authority=action(chain=("eve",)).authority)
    seen, stored = taken(held, reading)
    assert stored is None
    decision = decide(seen, reading, NOW)
    assert frozenset(body(decision).source) == WEB
    reached = reached_of(decision)
    assert judge_result(RUNNING, reached, "shop", seen.sessions, Status.OK, None).labels == WEB
    later = judge_result(RUNNING, reached, "shop", seen.sessions, Status.OK, None, SECRET)
    assert later.labels == WEB | SECRET


def test_who_reads_another_key_has_none_of_its_labels_and_who_reads_no_key_has_all() -> None:
    held = Stores({"notes:a/b": WEB, "notes:c": SECRET, "other:d": frozenset({"confidential:d"})})
    assert held.labels_for(RUNNING, ask("load", {"path": "c"})).labels == SECRET
    assert held.labels_for(RUNNING, ask("load", {"path": "nothing"})) is NOTHING
    assert held.labels_for(RUNNING, ask("find")).labels == WEB | SECRET
    assert held.labels_for(RUNNING, ask("load", {})).labels == WEB | SECRET


@pytest.mark.parametrize("read", ["a/b/c", "a", "b", "srv/a/b", "a/b"])
def test_around_under_and_elsewhere_told_keys_may_be_the_same(read: str) -> None:
    held = Stores({"notes:a/b": WEB, "notes:x/y": SECRET})
    assert held.labels(f"notes:{read}") == WEB


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/srv/notes/a", "notes"),
        ("notes/a", "/srv/notes"),
        ("/srv/notes", "notes/a"),
        ("notes", "/srv/notes/a"),
        ("/srv/x/notes/sub/a", "notes/sub"),
        ("/srv/1/2/3/4/5/6", "1/2/3/4/5"),
        ("1/2/3/4/5/6", "/srv/1/2/3/4/5"),
    ],
)
def test_a_folder_told_from_elsewhere_has_what_lies_under_it(written: str, read: str) -> None:
    held = Stores({f"notes:{normal(written)}": WEB, "notes:x/y": SECRET})
    assert held.labels(f"notes:{normal(read)}") == WEB
    assert held.labels("notes:other/a") == frozenset()


@given(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=7),
    st.lists(st.sampled_from("abc"), max_size=3),
    st.lists(st.sampled_from("abc"), max_size=3),
    st.booleans(),
)
def test_one_place_is_found_from_wherever_both_are_told(
    place: list[str], above: list[str], under: list[str], longer: bool
) -> None:
    first, second = "/".join([*above, *place]), "/".join([*place, *under])
    whole = "/".join([*above, *place, *under])
    written, read = (first, second) if longer else (second, first)
    assert Stores({f"s:{written}": WEB}).labels(f"s:{read}") == WEB
    inner = "/".join(place)
    assert Stores({f"s:{whole}": WEB}).labels(f"s:{inner}") == WEB
    assert Stores({f"s:{inner}": WEB}).labels(f"s:{whole}") == WEB


def test_what_was_written_without_a_key_is_under_every_key() -> None:
    held = Stores()
    _, stored = taken(held, ask("put", {}), "confidential")
    assert stored == StoreWrite(("notes:",), ("confidential",))
    assert held.labels_for(RUNNING, ask("load", {"path": "z"})).labels == SECRET


def test_what_moves_within_a_store_keeps_its_labels() -> None:
    running = bundle(shop(kept("move", Store("notes", ("path", "paths")))))
    held = Stores({"notes:from": WEB})
    moving = ask("move", {"path": "from", "paths": ["to"]})
    _, stored = taken(held, moving, running=running)
    assert stored == StoreWrite(("notes:from", "notes:to"), ("untrusted", "untrusted:web"))
    assert held.labels("notes:to") == WEB


def test_nothing_is_recorded_twice_and_nothing_of_a_session_without_labels() -> None:
    held = Stores()
    assert taken(held, ask("put"))[1] is None
    assert taken(held, ask("put"), "confidential")[1] is not None
    assert taken(held, ask("put"), "confidential")[1] is None
    assert taken(held, ask("put"), "confidential", "untrusted")[1] is not None


def test_a_tool_of_which_nothing_is_known_reaches_every_store_of_its_server() -> None:
    held = Stores({"notes:a": SECRET})
    seen, stored = taken(held, ask("strange"), "untrusted:web")
    assert seen.stores.labels == SECRET
    assert stored == StoreWrite(("notes:",), ("confidential", "untrusted", "untrusted:web"))
    unknown = replace(action("web/strange"), name="gone")
    assert held.labels_for(RUNNING, unknown) is NOTHING


def test_resources_of_a_server_with_stores_tell_what_these_hold() -> None:
    held = Stores({"notes:a": SECRET})
    reading = replace(ask("x", {"uri": "file:///a"}, ActionKind.READ_RESOURCE), name="file:///a")
    assert held.labels_for(RUNNING, reading).labels == SECRET
    assert held.labels_for(RUNNING, reading).writes == ()
    listing = replace(reading, name="", arguments=LIST_ARGUMENTS, input={})
    assert held.labels_for(RUNNING, listing).labels == SECRET
    instructions = replace(listing, arguments=canonical({"list": "instructions"}))
    assert held.labels_for(RUNNING, instructions) is NOTHING


def test_prompts_and_completions_of_a_server_with_stores_tell_what_these_hold() -> None:
    held = Stores({"notes:a": SECRET, "other:b": WEB})
    authority = action().authority
    prompt = get_prompt(authority, "shop", "greeting", {"who": "ann"}, b"{}").action
    of_prompt = complete(authority, "shop", {"ref": {"type": "ref/prompt", "name": "greeting"}}).action
    of_resource = complete(authority, "shop", {"ref": {"type": "ref/resource", "uri": "file:///{path}"}}).action
    for asked in (prompt, of_prompt, of_resource):
        assert (held.labels_for(RUNNING, asked).labels, held.labels_for(RUNNING, asked).writes) == (SECRET, ())
    assert held.labels_for(RUNNING, list_offers(authority, "shop", Offer.PROMPTS).action) is NOTHING
    assert held.labels_for(RUNNING, replace(prompt, server="web")) is NOTHING


def test_a_full_store_takes_every_label_of_the_catalog_as_a_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stores_module, "KEYS_MAX", 2)
    held = Stores({"notes:a": SECRET, "notes:b": SECRET})
    _, stored = taken(held, ask("put", {"path": "a"}), "confidential", "untrusted")
    assert stored == StoreWrite(("notes:a",), ("confidential", "untrusted"))
    _, stored = taken(held, ask("put", {"path": "c"}), "confidential")
    assert stored == StoreWrite(("notes:",), tuple(sorted(RUNNING.labels)))
    assert held.labels("notes:never-written") == RUNNING.labels
    _, stored = taken(held, ask("put", {}), "confidential")
    assert stored is None


def test_what_a_client_answers_in_mid_action_is_written_with_the_labels_of_that_moment() -> None:
    held = Stores()
    asked = replace(ask("put"), within=Within("r1-1.2", None, 1, b"{}", b"{}", bare=False))
    seen = replace(snapshot(RUNNING, asked, labels=("untrusted:web",)), stores=held.labels_for(RUNNING, asked))
    first = decide(seen, asked, NOW).effects[0]
    assert isinstance(first, Append)
    assert isinstance(first.body, ExchangeBody)
    assert first.body.stored == StoreWrite(("notes:a/b",), ("untrusted", "untrusted:web"))
    deltas = fold(Ref("r1-1", 3), NOW, RecordKind.EXCHANGE, first.body)
    assert PlaceLabelled("notes:a/b", WEB) in deltas


def test_the_holders_of_a_label_are_named() -> None:
    held = Stores({"notes:a": WEB, "rows:1": WEB | SECRET})
    assert held.holders(["untrusted:web", "confidential", "confidential:pii"]) == {
        "untrusted:web": ("notes", "rows"),
        "confidential": ("rows",),
    }


@given(
    st.lists(
        st.tuples(st.sampled_from(["", "a", "a/b", "b", "c/a/b"]), st.sets(st.sampled_from(sorted(WEB | SECRET)))),
        max_size=12,
    )
)
def test_labels_of_a_store_never_shrink(writes: list[tuple[str, set[str]]]) -> None:
    held = Stores()
    before = {key: held.labels(f"s:{key}") for key in ("", "a", "a/b", "b", "c/a/b", "z")}
    for key, labels in writes:
        held.label(f"s:{key}", frozenset(labels))
        after = {name: held.labels(f"s:{name}") for name in before}
        assert all(before[name] <= after[name] for name in before)
        assert labels <= after[key]
        assert labels <= after[""]
        before = after


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://b\u00fccher.example/a", "http://XN--Bcher-kva.example/a"),
        ("xn--bcher-kva/a", "B\u00dcCHER/a"),
        ("no\ufe0ftes/a", "notes/a"),
        ("no\u3164tes/a", "notes/a"),
        ("no\u2800tes\U000e0061/a", "notes/a"),
    ],
)
def test_a_host_in_its_own_script_and_what_draws_nothing_tell_no_keys_apart(one: str, other: str) -> None:
    assert normal(one) == normal(other) == normal(normal(one))


@pytest.mark.parametrize("odd", ["xn--", "xn--99999999", "xn--..-kva", "axn--bcher-kva", "xn--0"])
def test_what_only_looks_like_the_name_of_a_host_stays(odd: str) -> None:
    assert normal(odd).rstrip("-") == odd.rstrip("-")


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("0x7F.1", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("2130706433.", "127.0.0.1"),
        ("1.65535", "1.0.255.255"),
        ("4294967295", "255.255.255.255"),
        ("0x", "0.0.0.0"),
        ("0", "0.0.0.0"),
    ],
)
def test_an_address_is_one_in_any_form_that_is_followed(host: str, address: str) -> None:
    assert written_out(host) == address
    assert written_out(address) == address


@pytest.mark.parametrize(
    "host",
    [
        "",
        ".",
        "a",
        "1..2",
        "1.2.3.4.5",
        "256.1",
        "1.2.3.256",
        "4294967296",
        "08.1",
        "1_0.1",
        "0xg.1",
        "-1.1",
        "1" * 40,
        "1.b",
        "٣.1",
    ],
)
def test_what_is_no_address_stays_as_it_is(host: str) -> None:
    assert written_out(host) == host
