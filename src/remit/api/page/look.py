"""How the page looks, and the few keys it knows; each allowed by its hash, so that nothing else is ever styled or run.

The script moves the focus, counts down, and has a passkey sign a form that a person sent: it decides nothing, and the
page does without it, but for passkeys, which browsers give to scripts alone.
"""

import base64
import hashlib
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
STYLE: Final = (_HERE / "page.css").read_text("utf-8")
SCRIPT: Final = (_HERE / "page.js").read_text("utf-8")


def _hash(source: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(source.encode("utf-8")).digest()).decode("ascii") + "'"


POLICY: Final = (
    f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
"""The Content-Security-Policy of every page."""
