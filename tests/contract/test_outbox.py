"""The outbox: what it keeps is there after it was closed, known notices are kept once, and times are kept."""

import sqlite3
from pathlib import Path

import pytest

from remit.adapters.sqlite.outbox import SqliteOutbox
from remit.escalate.notice import Notice
from remit.ports.notifier import ChannelStatus

WAITS_MS = (1_000, 5_000)


def one(ident: str, channel: str = "desk", made_ms: int = 10, approval: str | None = None) -> Notice:
    return Notice(ident, channel, approval or f"r1-1.{ident}", b"{}", made_ms)


@pytest.mark.asyncio
async def test_what_is_kept_is_there_after_a_restart_once(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    outbox = SqliteOutbox(path)
    await outbox.put([one("a"), one("b", made_ms=20)], {"r1-1.9": "pending"})
    await outbox.put([one("a", made_ms=5)], {"r1-1.9": "denied"})
    await outbox.close()
    assert path.stat().st_mode & 0o077 == 0
    outbox = SqliteOutbox(path)
    due = await outbox.due(99, 10, WAITS_MS)
    assert [(kept.notice.ident, kept.notice.made_ms) for kept in due] == [
        ("a", 10),
        ("b", 20),
    ]
    assert [kept.notice.ident for kept in await outbox.due(99, 1, WAITS_MS)] == ["a"]
    assert await outbox.states() == {"r1-1.9": "denied"}
    await outbox.forget(["r1-1.9", "r9-9.9"])
    assert await outbox.states() == {}
    await outbox.close()


@pytest.mark.asyncio
async def test_what_was_said_is_not_said_again_and_what_failed_is_in_its_time(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    await outbox.put([one("a"), one("b"), one("c", "night")], {})
    await outbox.delivered("a")
    await outbox.failed("b", 500, "the receiver answered 503")
    await outbox.failed("c", None, "the receiver answered 410")
    await outbox.put([one("a"), one("c", "night")], {})
    assert await outbox.due(499, 10, WAITS_MS) == []
    [kept] = await outbox.due(500, 10, WAITS_MS)
    assert (kept.notice.ident, kept.attempts) == ("b", 1)
    assert await outbox.channels() == {
        "desk": ChannelStatus(1, 0, "the receiver answered 503"),
        "night": ChannelStatus(0, 1, "the receiver answered 410"),
    }
    await outbox.close()


@pytest.mark.asyncio
async def test_why_a_channel_fails_is_its_last_failure_whichever_notice_is_older(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    await outbox.put([one("old", made_ms=10), one("new", made_ms=20), one("other", "night")], {})

    async def why() -> str | None:
        return (await outbox.channels())["desk"].why

    await outbox.failed("new", None, "the receiver answered 503")
    assert await why() == "the receiver answered 503"
    await outbox.failed("old", 500, "the receiver answered 401")
    await outbox.failed("other", 500, "the receiver answered 404")
    assert await why() == "the receiver answered 401"
    # What arrived in the end is no failure of the channel any more.
    await outbox.delivered("old")
    assert (await outbox.channels())["desk"] == ChannelStatus(0, 1, "the receiver answered 503", delivers=True)
    await outbox.put([one("next", made_ms=5)], {})
    assert (await outbox.channels())["desk"].delivers, "nothing was tried since"
    await outbox.failed("next", 500, "the receiver answered 429")
    assert (await outbox.channels())["desk"] == ChannelStatus(1, 1, "the receiver answered 429")
    await outbox.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "earlier",
    [
        "DROP INDEX outcomes; ALTER TABLE notice DROP COLUMN outcome",
        """DROP INDEX outcomes; ALTER TABLE notice RENAME COLUMN outcome TO failure;
        CREATE INDEX failures ON notice (channel, failure) WHERE failure IS NOT NULL""",
    ],
)
async def test_an_outbox_of_an_earlier_version_keeps_what_it_has_and_says_why_it_failed(
    tmp_path: Path, earlier: str
) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    await outbox.put([one("old"), one("new", made_ms=20)], {})
    await outbox.failed("new", 500, "the receiver answered 503")
    await outbox.close()
    with sqlite3.connect(tmp_path / "outbox.db") as conn:
        conn.executescript(earlier)
    conn.close()
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    assert await outbox.channels() == {"desk": ChannelStatus(2, 0, "the receiver answered 503")}
    await outbox.failed("old", 600, "the receiver answered 401")
    assert await outbox.channels() == {"desk": ChannelStatus(2, 0, "the receiver answered 401")}
    assert [kept.notice.ident for kept in await outbox.due(700, 10, WAITS_MS)] == ["new", "old"]
    await outbox.close()


@pytest.mark.asyncio
async def test_what_did_not_arrive_before_its_approval_moved_on_comes_no_more(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    opened = [one(f"opened-{channel}", channel, approval="r1-1.9") for channel in ("desk", "night")]
    await outbox.put([*opened, one("other")], {})
    await outbox.delivered("opened-night")
    # Set back, as clocks are.
    await outbox.put([one(f"denied-{channel}", channel, 5, "r1-1.9") for channel in ("desk", "night")], {})
    await outbox.failed("opened-desk", 500, "it was under way meanwhile, and the receiver answered 503")
    due = {kept.notice.ident for kept in await outbox.due(10_000, 10, WAITS_MS)}
    assert due == {"denied-desk", "denied-night", "other"}
    assert await outbox.channels() == {
        "desk": ChannelStatus(2, 0, None),
        "night": ChannelStatus(1, 0, None, delivers=True),
    }
    await outbox.close()


@pytest.mark.asyncio
async def test_how_far_the_ledger_was_followed_is_kept_with_what_came_of_it(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    assert await outbox.mark() == ""
    await outbox.follow([one("a")], "log 7")
    await outbox.follow([one("a", made_ms=5)], "log 9")
    await outbox.close()
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    assert await outbox.mark() == "log 9"
    due = await outbox.due(99, 10, WAITS_MS)
    assert [(kept.notice.ident, kept.notice.made_ms) for kept in due] == [("a", 10)]
    with pytest.raises(Exception, match="NOT NULL"):
        await outbox.follow([one("b")._replace(body=None)], "log 11")  # type: ignore[arg-type]
    assert await outbox.mark() == "log 9"
    await outbox.close()


@pytest.mark.asyncio
async def test_a_transaction_that_fails_leaves_nothing(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    with pytest.raises(Exception, match="NOT NULL"):
        await outbox.put([one("a"), one("b")._replace(body=None)], {"r1-1.9": "pending"})  # type: ignore[arg-type]
    assert await outbox.due(99, 10, WAITS_MS) == []
    assert await outbox.states() == {}
    await outbox.close()


@pytest.mark.asyncio
async def test_a_channel_with_much_to_be_told_takes_no_room_from_another(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    await outbox.put([one(f"{number:02}", made_ms=number) for number in range(20)], {})
    await outbox.put([one("late", "night", made_ms=90)], {})
    assert [kept.notice.ident for kept in await outbox.due(99, 3, WAITS_MS)] == ["00", "01", "02", "late"]
    await outbox.close()


@pytest.mark.asyncio
async def test_a_clock_that_is_set_back_makes_no_notice_wait_for_longer_than_anew(tmp_path: Path) -> None:
    outbox = SqliteOutbox(tmp_path / "outbox.db")
    await outbox.put([one("new", made_ms=10_000_000), one("once", "night"), one("twice", "late")], {})
    await outbox.failed("once", 10_001_000, "the receiver answered 503")
    await outbox.failed("twice", 10_001_000, "the receiver answered 503")
    await outbox.failed("twice", 10_005_000, "the receiver answered 503")

    async def due(now_ms: int) -> set[str]:
        return {kept.notice.ident for kept in await outbox.due(now_ms, 10, WAITS_MS)}

    assert await due(20_000) == {"new", "once", "twice"}, "by hours"
    assert await due(10_000_000) == {"new"}, "each waits as long as it has to"
    assert await due(10_001_000) == {"new", "once"}
    await outbox.close()
