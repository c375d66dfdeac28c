"""Origin indices in memory are what the ledger says, are read back when they were forgotten, and are bounded."""

import asyncio
from base64 import b64encode
from dataclasses import replace
from pathlib import Path

import pytest

from remit.adapters.sqlite import SqliteLedger
from remit.adapters.sqlite.erasure import SqliteBodies
from remit.facts.origin import Origin
from remit.facts.record import Receipt, RecordKind
from remit.pep import indices as indices_module
from remit.pep.memory import Memory
from remit.ports.ledger import Pending
from remit.protect.index import TRUSTED, UNTRUSTED, Index, origin_of
from remit.protect.token_places import TokenGroup
from remit.trace.bodies import AdminBody, Body, Event
from remit.work.erasure import Erasures
from tests.contract.ledger_world import Place, draft
from tests.core.recording import action, outcome

KEY = "0f" * 32


class World:
    """A ledger and the memory beside it, as the desk keeps them."""

    def __init__(self, ledger: SqliteLedger) -> None:
        self.ledger = ledger
        self.memory = Memory(ledger, lambda: True)

    def append(self, kind: RecordKind, sid: str, body: Body) -> Pending:
        pending = self.ledger.append(draft(body, kind, sid))
        self.memory.apply(pending.ref, 5, kind, body)
        return pending

    def open(self, sid: str) -> Pending:
        return self.append(RecordKind.ADMIN, sid, AdminBody(Event.SESSION_OPENED, "h", sid, {"agent": "writer"}))

    def key(self, sid: str, key: str | None = KEY) -> Pending:
        return self.append(RecordKind.ADMIN, sid, AdminBody(Event.SESSION_KEYED, "remit", sid, {"key": key}))

    def words(self, sid: str, text: str) -> Pending:
        data = {"text": text, "grounds": True}
        return self.append(RecordKind.ADMIN, sid, AdminBody(Event.SESSION_WORDS, "harness", sid, data))

    def result(self, sid: str, *entries: TokenGroup) -> Pending:
        call = str(self.append(RecordKind.INTENT, sid, action(links=[("writer", sid)])).ref)
        index = self.memory.indices.of(sid)
        delta = (index or Index(bytes.fromhex(KEY))).delta(call, entries)
        end = outcome(call, sids=[sid])
        return self.append(RecordKind.OUTCOME, sid, replace(end, origins=b64encode(delta.pack()).decode()))

    def origin(self, sid: str, token: str) -> Origin | None:
        index = self.memory.indices.of(sid)
        return None if index is None else origin_of(index.lookup((token,))[0])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["0f" * 16, "0f" * 32])
async def test_an_index_is_read_back_as_it_was(place: Place, key: str) -> None:
    world = World(place.open())
    await world.memory.hold(["s1"], 0.0)
    assert (world.memory.indices.loaded("s1"), world.memory.indices.of("s1")) == (True, None)
    world.key("s1", key)
    world.words("s1", "mail boss@shop.example")
    await world.result(
        "s1", TokenGroup(["mallory"], UNTRUSTED, "$.text"), TokenGroup(["ledger"], TRUSTED, "$.id")
    ).durable
    held = world.memory.indices.of("s1")
    assert held is not None
    seen = held.place(held.lookup(("mallory",))[0])
    await world.ledger.close()

    again = World(place.open())
    await again.memory.hold(["s1"], 0.0)
    made = again.memory.indices.of("s1")
    assert made is not None
    assert (len(made), made.place(made.lookup(("mallory",))[0])) == (len(held), seen)
    assert again.origin("s1", "ledger") is Origin.TRUSTED
    assert again.origin("s1", "boss@shop.example") is Origin.GROUNDED
    assert again.memory.indices.words_size("s1") == (1, len("mail boss@shop.example"))
    await again.ledger.close()


@pytest.mark.asyncio
async def test_who_erases_the_key_erases_the_index_and_a_new_one_begins(place: Place) -> None:
    world = World(place.open())
    world.open("s1")
    await world.memory.hold(["s1"], 0.0)
    world.key("s1")
    world.words("s1", "boss")
    world.key("s1", None)
    assert world.memory.indices.of("s1") is None
    assert world.memory.indices.tokens == 0
    world.key("s1", "1e" * 32)
    await world.words("s1", "other").durable
    assert world.origin("s1", "boss") is Origin.UNSEEN
    await world.ledger.close()
    again = World(place.open())
    await again.memory.hold(["s1"], 0.0)
    assert (again.origin("s1", "boss"), again.origin("s1", "other")) == (Origin.UNSEEN, Origin.GROUNDED)
    await again.ledger.close()


@pytest.mark.asyncio
@pytest.mark.parametrize("what", ["result", "words"])
async def test_nothing_becomes_more_trusted_by_an_erasure(place: Place, what: str) -> None:
    world = World(place.open())
    world.open("s1")
    await world.memory.hold(["s1"], 0.0)
    world.key("s1")
    words = await world.words("s1", "boss").durable
    said = await world.result("s1", TokenGroup(["mallory"], UNTRUSTED, "$.text")).durable
    await world.result("s1", TokenGroup(["mallory", "boss", "ledger"], TRUSTED, "$.id")).durable
    tokens = ("mallory", "boss", "ledger")
    before = tuple(world.origin("s1", token) for token in tokens)
    assert before == (Origin.UNTRUSTED, Origin.GROUNDED, Origin.TRUSTED)

    async def record(body: AdminBody) -> Receipt:
        return await world.append(RecordKind.ADMIN, "", body).durable

    erasures = Erasures(world.ledger, SqliteBodies(place.file), record)
    await erasures.erase([(said if what == "result" else words).ref], "asked for", "user:dpo")
    assert tuple(world.origin("s1", token) for token in tokens) == before
    await world.ledger.close()

    again = World(place.open())
    await again.memory.hold(["s1"], 0.0)
    index = again.memory.indices.of("s1")
    assert index is not None
    after = tuple(again.origin("s1", token) for token in tokens)
    if what == "result":
        assert after == (Origin.UNTRUSTED, Origin.GROUNDED, Origin.UNTRUSTED)
        assert (index.capped, index.prose) == (True, True)
    else:
        assert after == (Origin.UNTRUSTED, Origin.TRUSTED, Origin.TRUSTED)
        assert (index.capped, index.prose) == (False, False)
    await again.ledger.close()


@pytest.mark.asyncio
async def test_too_many_tokens_push_out_what_nobody_holds_and_it_comes_back(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indices_module, "TOKENS_MAX", 20)
    world = World(place.open())
    for sid in ("s1", "s2", "s3"):
        await world.memory.hold([sid], 0.0)
        world.key(sid)
        await world.result(sid, TokenGroup([f"{sid}-{n}" for n in range(12)], UNTRUSTED, "$")).durable
    assert [world.memory.indices.loaded(sid) for sid in ("s1", "s2", "s3")] == [True, True, True]
    world.memory.release(["s1"], 1.0)
    world.memory.release(["s2"], 1.0)
    await world.memory.hold(["s4"], 0.0)
    assert [world.memory.indices.loaded(sid) for sid in ("s1", "s2", "s3", "s4")] == [False, False, True, True]
    assert world.memory.indices.tokens == 12
    await world.memory.hold(["s1"], 0.0)
    assert world.origin("s1", "s1-7") is Origin.UNTRUSTED
    await world.ledger.close()


@pytest.mark.asyncio
async def test_what_is_on_its_way_to_disk_is_not_forgotten(place: Place) -> None:
    world = World(place.open())
    await world.memory.hold(["s1"], 0.0)
    world.key("s1")
    pending = world.result("s1", TokenGroup(["mallory"], UNTRUSTED, "$"))
    assert isinstance(pending.durable, asyncio.Future)
    world.memory.indices.settles("s1", pending.durable)
    world.memory.release(["s1"], 0.0)
    world.memory.forget_idle(1_000.0)
    assert world.memory.indices.loaded("s1")
    await pending.durable
    await asyncio.sleep(0)
    world.memory.indices.forget("s1")
    assert not world.memory.indices.loaded("s1")
    assert len(world.memory.indices) == 0
    await world.ledger.close()


@pytest.mark.asyncio
async def test_an_index_that_is_not_in_memory_takes_nothing_and_loses_nothing(place: Place) -> None:
    world = World(place.open())
    world.key("s1")
    await world.result("s1", TokenGroup(["mallory"], UNTRUSTED, "$")).durable
    assert world.memory.indices.of("s1") is None
    await world.memory.hold(["s1"], 0.0)
    assert world.origin("s1", "mallory") is Origin.UNTRUSTED
    await world.ledger.close()


@pytest.mark.asyncio
async def test_few_bytes_are_saved_for_a_token(place: Place) -> None:
    world = World(place.open())
    await world.memory.hold(["s1"], 0.0)
    world.key("s1")
    await world.words("s1", "x").durable
    before = sum(path.stat().st_size for path in place.folder.iterdir())
    entries = [TokenGroup([f"token-{n}"], UNTRUSTED, f"$[*].member{n % 7}", n % 99) for n in range(10_000)]
    await world.result("s1", *entries).durable
    await world.ledger.close()
    after = sum(path.stat().st_size for path in place.folder.iterdir())
    assert (after - before) / len(entries) <= 64
