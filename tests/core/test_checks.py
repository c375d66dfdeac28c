"""Where `remit doctor` ends: of signing (what no checkpoint has could be cut off unseen), and of servers."""

from dataclasses import replace
from pathlib import Path

from remit.adapters.sqlite.failure import LOCKED, unwritable
from remit.api.in_force import DoctorCheck
from remit.app.bundles.comparison import remedy
from remit.app.service.doctor import SIGNED_S_MAX, channel, checkpoint, doubt, logs, records
from remit.facts.catalog import Http, Server, Stdio
from remit.facts.record import Ref
from remit.ports.ledger import InDoubt
from remit.ports.notifier import ChannelStatus
from remit.ports.transparency import SigningProgress
from remit.ports.upstream import ServerHealth
from remit.trace.bodies import Status


def test_a_checkpoint_that_grows_old_is_something_to_mend() -> None:
    fresh = checkpoint(SigningProgress(7, 0.4))
    assert (fresh.ok, fresh.text, fresh.next) == (True, "the last has 7 records, every one on disk 0 s ago", None)
    assert checkpoint(SigningProgress(7, SIGNED_S_MAX - 0.1, "a hiccup")).ok
    old = checkpoint(SigningProgress(7, SIGNED_S_MAX, "the tree is not the ledger's"))
    assert not old.ok
    assert old.text.endswith("10 s ago; it is due every second: the tree is not the ledger's")
    assert old.next == "remit ledger verify"
    assert "does not get round to it" in checkpoint(SigningProgress(0, 60)).text


def test_what_is_left_to_do_and_keeps_nobody_from_governing_is_a_warning() -> None:
    assert DoctorCheck("user", True, "they can read its files", "run it as another user").state == "warn"
    assert DoctorCheck("disk", True, "roomy").state == "ok"
    assert DoctorCheck("disk", False, "full", "free space").state == "fail"


def test_a_ledger_that_takes_no_records_says_since_when_why_and_what_then() -> None:
    assert records(None).ok
    poisoned = records(str(unwritable(OSError("disk I/O error"), 1_764_505_822_000)))
    assert not poisoned.ok
    assert poisoned.text.startswith(
        "takes no records: disk I/O error, since 2025-11-30T12:30:22Z; every action is denied"
    )
    assert poisoned.next is not None
    assert poisoned.next.startswith("free the cause")
    locked = records(LOCKED)
    assert locked.text.endswith("no action is begun until it lets go")
    assert locked.next == "end the program that has its file open; fuser, or lsof, names it"


def test_a_log_that_is_not_written_is_something_to_mend() -> None:
    assert logs(Path("/data/logs"), None).ok
    lost = logs(Path("/data/logs"), "No space left on device")
    assert (lost.ok, "No space left on device" in lost.text) == (False, True)
    assert "mend /data/logs" in str(lost.next)


def test_a_channel_is_as_good_as_its_last_attempt_and_what_was_given_up_is_told_of() -> None:
    fresh = channel("desk", ChannelStatus(1, 0, None))
    assert (fresh.state, fresh.text) == ("ok", "channel desk: 1 notice waiting, 0 given up")
    down = channel("desk", ChannelStatus(2, 1, "the receiver answered 503"))
    assert (down.state, down.text) == (
        "fail",
        "channel desk: 2 notices waiting, 1 given up: the receiver answered 503",
    )
    again = channel("desk", ChannelStatus(0, 1, "the receiver answered 503", delivers=True))
    assert (again.state, again.text) == (
        "ok",
        "channel desk: 0 notices waiting, 1 given up; it delivers now, and failed before: the receiver answered 503",
    )


def test_a_server_that_is_not_reached_says_what_to_run_by_hand() -> None:
    here = Server("notes", Stdio(("python", "-m", "a b"), cwd="/srv/n 1"))
    down = ServerHealth("notes", "stdio", "backing-off", last_error="server 'notes' ended unasked")
    by_hand = "cd '/srv/n 1' && python -m 'a b'"
    assert remedy(here, down) == {"next": f"read its stderr here, and run its command by hand: {by_hand}"}
    assert remedy(replace(here, transport=Stdio(("a",))), down)["next"] == (
        "read its stderr here, and run its command by hand: a"
    )
    assert remedy(here, replace(down, state="up")) == {}
    assert remedy(here, replace(down, last_error=None)) == {}
    assert remedy(None, down) == {}
    assert remedy(replace(here, transport=Http("http://127.0.0.1:9/mcp")), down) == {}


def test_a_call_without_an_outcome_fails_and_one_that_was_not_answered_is_a_warning() -> None:
    item = InDoubt(Ref.parse("r1-1.5"), "s", 0, Status.LOST)
    unended, unsettled = doubt((item,), (item,)), doubt((), (item,))
    assert (unended.ok, unsettled.ok) == (False, True)
    assert "remit ledger settle r1-1.5 --happened|--did-not-happen --why TEXT" in (unended.next or "")
    assert "remit ledger in-doubt" in (unsettled.next or "")
    assert doubt((), ()).next is None
