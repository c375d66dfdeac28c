"""Bundles that ran and are kept as they were: whoever goes back to one finds it warm."""

from typing import Final

from remit.policy.bundle import Bundle

RECENT_MAX: Final = 3


class Recent:
    """The last of them, `bundle` first."""

    def __init__(self, bundle: Bundle) -> None:
        self._kept = {bundle.digest: bundle}

    def known(self, bundle: Bundle) -> Bundle:
        """`bundle`, or the same one that ran before, with what was generated for it and the trust in that."""
        earlier = self._kept.get(bundle.digest)
        return bundle if earlier is None or earlier.catalog != bundle.catalog else earlier

    def ran(self, bundle: Bundle) -> None:
        """Keep `bundle` as the latest."""
        self._kept.pop(bundle.digest, None)
        self._kept[bundle.digest] = bundle
        while len(self._kept) > RECENT_MAX:
            del self._kept[next(iter(self._kept))]
