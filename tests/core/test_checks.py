"""What `remit doctor` says of signing: what no checkpoint has could be cut off unseen."""

from remit.app.checks import SIGNED_S_MAX, checkpoint
from remit.ports.transparency import Signed


def test_a_checkpoint_that_grows_old_is_something_to_mend() -> None:
    fresh = checkpoint(Signed(7, 0.4))
    assert (fresh.ok, fresh.text, fresh.next) == (True, "the last has 7 records, every one on disk 0 s ago", None)
    assert checkpoint(Signed(7, SIGNED_S_MAX - 0.1, "a hiccup")).ok
    old = checkpoint(Signed(7, SIGNED_S_MAX, "the tree is not the ledger's"))
    assert not old.ok
    assert old.text.endswith("10 s ago; it is due every second: the tree is not the ledger's")
    assert old.next == "remit ledger verify"
    assert "does not get round to it" in checkpoint(Signed(0, 60)).text
