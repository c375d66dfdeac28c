"""Who acted, and whether observing overrode policy, read off the stored body of an action.

Decoding a body whole costs some twenty times as much. The members before the chain are strings,
in which a quotation mark is always escaped, so the first `[["` of a body is where its chain
begins, whatever a tool's name or the arguments hold (`encoding`, the order of `ActionBody`).
"""

import re
from typing import Final

_STRING: Final = rb'"(?:[^"\\]|\\.)*"'
_LINK: Final = rb"\[%s,%s\]" % (_STRING, _STRING)
_CHAIN: Final = re.compile(
    rb"\[(?P<links>%s(?:,%s)*)\],%s,%s,(?:null|(?P<observed>%s))," % (_LINK, _LINK, _STRING, _STRING, _STRING)
)


def acted(body: bytes) -> tuple[bytes, bool] | None:
    """The links of the chain as stored, `["agent","sid"],…`, and whether a verdict was overridden.

    None for what is no action.
    """
    start = body.find(b'[["')
    found = _CHAIN.match(body, start) if start >= 0 else None
    return None if found is None else (found["links"], found["observed"] is not None)
