"""What browsers send to the page, read strictly."""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl

from remit.api.page.document import PREFIX
from remit.api.page.render import message
from remit.facts.canonical import Json
from remit.facts.strictjson import JsonRefused, parse

FORM_BYTES_MAX: Final = 64 * 1024
FIELDS_MAX: Final = 20
_UNSIGNED: Final = frozenset({"csrf", "confirmed"})

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Form: TypeAlias = Mapping[str, str]
"""The fields of a form, in the order in which they were sent."""


class PageRefusal(Exception):
    """A page with `status` that says why not; `back` is where to go on."""

    def __init__(self, status: int, what: str, why: str, *, back: str | None = None, next: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.page = message(what, why, back, next)


async def form_of(heads: Mapping[bytes, str], receive: Receive) -> Form:
    """The fields of a form, each once. It has to come from a page of ours: a browser says so in Origin."""
    if b"origin" not in heads:
        raise PageRefusal(403, "not decided", "a form without Origin is not believed", back=PREFIX)
    if heads.get(b"content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise PageRefusal(415, "not decided", "only the forms of these pages are read", back=PREFIX)
    data = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise PageRefusal(400, "not decided", "the form ended early", back=PREFIX)
        data += message.get("body", b"")
        more = message.get("more_body", False)
        if len(data) > FORM_BYTES_MAX:
            raise PageRefusal(413, "not decided", f"a form has at most {FORM_BYTES_MAX:,} bytes", back=PREFIX)
    try:
        pairs = parse_qsl(data.decode("ascii"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="strict")
    except ValueError as error:
        raise PageRefusal(400, "not decided", "the form cannot be read", back=PREFIX) from error
    if len(dict(pairs)) != len(pairs):
        raise PageRefusal(400, "not decided", "the form says something twice", back=PREFIX)
    return dict(pairs)


def signed_form(form: Form) -> bytes:
    """What a passkey signs of `form`, as `page.js` writes it: every field but its own, in order, as JSON.

    A browser sends the line ends of a text as CR LF and shows them to a script as LF.
    """
    fields = [[name, value.replace("\r\n", "\n")] for name, value in form.items() if name not in _UNSIGNED]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def arguments_of(form: Form, back: str) -> Mapping[str, Json]:
    """The arguments that a person wrote."""
    try:
        arguments = parse(form.get("arguments", "").encode("utf-8"))
    except JsonRefused as refused:
        raise PageRefusal(400, "not decided", f"the arguments are not JSON: {refused}", back=back) from refused
    if not isinstance(arguments, Mapping):
        raise PageRefusal(400, "not decided", "the arguments are no JSON object", back=back)
    return arguments
