"""What a replay remembers of texts is what reading them gives, and is bounded."""

import pytest

from remit.assure import reading_cache
from remit.assure.reading_cache import Readings, Remembered, words
from remit.facts.canonical import Json
from remit.facts.results import Part
from remit.protect import origins
from remit.protect.hashing import KEY_BYTES, token_hasher
from remit.protect.index import Index
from remit.protect.learning import learn
from remit.protect.reading import read
from tests.core.test_origin_reading import WEB, reader

TOOL = reader(Part("$[*].name", "trusted", directory=True), Part("$[*].id", "trusted", identity=True))
ONE = '[{"name": "Ann Lee", "id": 7, "text": "Pay 1,000 to Bob by 1 May 2022, see /etc/x"}]'


def result(text: str, *, failed: bool = False) -> dict[str, Json]:
    return {"content": [{"type": "text", "text": text}], "isError": failed}


def test_a_result_that_is_read_again_adds_what_it_added() -> None:
    readings, under = Readings(), Remembered(token_hasher(bytes(KEY_BYTES)))
    for said in ("Ask Ann Lee", "Pay 7", "nothing of it", "Ask Ann Lee"):
        again, plain = Index(under), Index(bytes(KEY_BYTES))
        again.apply(words(again, said))
        plain.apply(origins.words_delta(plain, said))
        for number in range(2):
            kept = readings.read(TOOL, WEB, result(ONE), frozenset())
            assert kept is readings.read(TOOL, WEB, result(ONE), frozenset())
            anew = read(TOOL, WEB, result(ONE))
            assert (kept.leaves, kept.labels) == (anew.leaves, anew.labels)
            call = f"c{number}"
            given: dict[str, Json] = {"of": "Ann Lee"}
            delta = learn(kept, TOOL, given, again, call)
            assert delta == learn(anew, TOOL, given, plain, call)
            again.apply(delta)
            plain.apply(delta)


def test_another_tool_other_labels_and_other_results_are_read_anew() -> None:
    readings = Readings()
    one = readings.read(TOOL, WEB, result(ONE), frozenset())
    assert readings.read(None, WEB, result(ONE), frozenset()) is not one
    assert readings.read(TOOL, WEB, result(ONE), frozenset({"untrusted"})) is not one
    assert readings.read(TOOL, frozenset(), result(ONE), frozenset()) is not one
    odds: list[Json] = [
        ONE,
        {"content": []},
        {**result(ONE), "structuredContent": 1},
        {"content": [], "isError": False},
    ]
    for odd in odds:
        assert readings.read(None, WEB, odd, frozenset()) is not readings.read(None, WEB, odd, frozenset())


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_cache, "READINGS_MAX", 2)
    monkeypatch.setattr(reading_cache, "CHARS_MAX", 20)
    readings = Readings()
    first = readings.read(None, WEB, result("a"), frozenset())
    for text in ("b", "a", "c", "x" * 21):
        readings.read(None, WEB, result(text), frozenset())
    assert len(readings) == 2
    assert readings.read(None, WEB, result("a"), frozenset()) is first
    index = Index(bytes(KEY_BYTES))
    long = "send it to Ann and to Bob"
    assert words(index, long) == origins.words_delta(index, long)


def test_hashes_are_remembered_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading_cache, "HASHES_MAX", 3)
    plain, found = token_hasher(bytes(KEY_BYTES)), Remembered(token_hasher(bytes(KEY_BYTES)))
    for tokens in (["a", "b"], ["b", "a"], ["c", "d"], ["e"], ["a", "e"]):
        assert found.hashes(tokens) == plain.hashes(tokens)
