"""Which errors are the machine's and not ours, and what is said of them."""

import errno

import pytest

from remit.facts.environment import environment_of


@pytest.mark.parametrize(
    ("number", "why", "following"),
    [
        (errno.ENOSPC, "its disk is full", "free space"),
        (errno.EDQUOT, "quota", "free space"),
        (errno.EFBIG, "larger", "ulimit -f"),
        (errno.EROFS, "only be read", "mounted for writing"),
        (errno.EACCES, "permission", "ls -ld"),
        (errno.EPERM, "permission", "ls -ld"),
        (errno.EIO, "does not read or write", "dmesg"),
        (errno.EEXIST, "something else has its name", "move it away"),
        (errno.ENOTDIR, "no folder", "move it away"),
        (errno.EMFILE, "no more files", "ulimit -n"),
        (errno.ENFILE, "no more files", "ulimit -n"),
    ],
)
@pytest.mark.parametrize(
    ("name", "place"), [("/data/x", "/data/x"), (b"/data/\xff", "/data/\ufffd"), (None, "a file"), (3, "a file")]
)
def test_an_error_of_the_machine_names_the_place_the_cause_and_what_mends_it(
    number: int, why: str, following: str, name: object, place: str
) -> None:
    found = environment_of(OSError(number, "so it says", name))
    assert found is not None
    assert found.place == place
    assert why in found.why
    assert following in found.next


@pytest.mark.parametrize("error", [OSError(), OSError("in words"), OSError(errno.EBADF, "bad descriptor")])
def test_any_other_may_be_a_fault_of_ours(error: OSError) -> None:
    assert environment_of(error) is None
