"""The telling parts of a text as the rules say them, slowly: what `remit.protect.tokens` has to find, too.

Every pattern runs over everything, nothing is remembered and nothing is passed over.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from remit.facts.text import IGNORED, composed
from remit.protect.paths import SPACES, without_full_stop
from remit.protect.root_zone import ENDINGS
from remit.protect.token_kinds import Token, TokenKind

_CONTROLS: Final = "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0))))
_BETWEEN: Final = str.maketrans(dict.fromkeys(',;|()<>"`“”„«»' + _CONTROLS, " "))
_AROUND: Final = "'’\u2018!"
_GLOB: Final = re.compile(r"\*|[\w/\\][\[{]|[/\\]\?(?!\w{0,64}=)|[\w:]\\\w")


def path_tokens(text: str) -> Iterator[str]:
    """The tokens of such paths in `text`, which is `plain`."""
    for piece in text.lower().translate(_BETWEEN).split():
        word = piece.strip(_AROUND)
        if word and _reaches(word):
            yield f"/{word}"


_INVISIBLE: Final = dict.fromkeys(map(ord, IGNORED))
_SPLIT: Final = str.maketrans(dict.fromkeys('\\,;|()[]{}<>"`*!“”„«»' + _CONTROLS, " "))
_STRIPPED: Final = "'’\u2018.:?=~#@&+-–—/$€£¥%^"
_THOUSANDS: Final = re.compile(r"(?<=\d),(?=\d\d\d(?!\d))")
_DECIMAL: Final = re.compile(r"-?\d{1,40}(\.\d{1,40})?")
_ISO: Final = re.compile(
    r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})(?:t\d\d(?::?\d\d(?::?\d\d(?:[.]\d{1,9})?)?)?(?:z|[+-]\d\d(?::?\d\d)?)?)?",
    re.IGNORECASE,
)
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")
_ACCOUNT: Final = re.compile(r"[A-Za-z]{2}\d{2}[A-Za-z0-9]{10,30}|\d{8,34}|0x[\da-f]{40}|(?:bc|tb|ltc)1[\da-z]{20,60}")
_CODED: Final = re.compile(r"xn--[a-z0-9-]{1,59}")
"""A top-level domain of another script, as it is asked for."""
_SIX: Final = re.compile(r"(?=[a-f:]{0,40}\d)[\da-f]{0,4}(?::[\da-f]{0,4}){2,7}")
"""An address of IPv6, shortened; the brackets around it are gone."""
_DOTTED: Final = re.compile(r"[a-z]{2}\d{2}\.")
"""How an account number in groups with dots between begins."""
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_LABEL: Final = re.compile(r"\w(?:[\w-]{0,61}[^\W_])?")
_GROUPED: Final = re.compile(
    r"\b[A-Z]{2}\d{2}(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,3})?\b|\b\d{2,4}(?:[ -]\d{2,4}){1,5}[ -]\d{2,8}\b"
    r"|\b0\d{1,3}[ -]\d{5,8}\b"
)
_SPELT: Final = re.compile(
    r"\b(?:(\d{1,2})(?:st|nd|rd|th)?(?: of)? )?"
    r"(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\.?"
    r" (?:(\d{1,2})(?:st|nd|rd|th)?,? )?(\d{4})\b",
    re.IGNORECASE,
)
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_WORDS: Final = frozenset(
    (
        *_MONTHS,
        "sept",
        "january",
        "february",
        "march",
        "april",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    )
)
_FILES: Final = frozenset(
    {"txt", "pdf", "csv", "tsv", "doc", "docx", "xls", "xlsx", "json", "yaml", "yml", "png", "jpg", "html"}
)
"""Endings of file names that are no domains."""
_RUN_ON: Final = re.compile(r"([^/?#:]{1,253}[a-z0-9])['’]?\.([A-Z][A-Za-z]{0,30})")
"""A sentence that ends in a host or an address, and the next one without a space between: both readings count."""
_SCHEME: Final = re.compile(r"[a-z0-9]{1,64}\Z")
_HOST_END: Final = re.compile(r"[/?#]")
_APART: Final = re.compile(r"[/:=&]")
_FILE: Final = re.compile(r"[^:=&]+/[^/:=&]+\.(?=[^\W\d_])[^\W_]{1,8}", re.DOTALL)
_PARTS_MAX: Final = 8
_FEW: Final = re.compile(r"(https?|wss?|ftp):/?(?!/)(.*)", re.DOTALL)
_SPLITTERS: Final = re.escape("\\,;|()[]{}`*!“”„«»")
_END_OF_RUN: Final = re.compile(rf"[<>\"{_CONTROLS} {''.join(SPACES)}]")


def plain(text: str) -> str:
    """`text` in one spelling of its characters."""
    return composed(text.translate(_INVISIBLE)).translate(_INVISIBLE)


def whole(text: str) -> str:
    """The token of a scalar as a whole, which a text that only mentions its words does not have."""
    words = [word.casefold() if word.isalpha() else word.lower() for word in plain(text).split()]
    return "=" + " ".join(words)


def texts(text: str) -> set[str]:
    """The distinct tokens of `text`."""
    text = plain(text)
    found: set[str] = set()
    for piece in _apart(text).split():
        said = piece.strip(_STRIPPED)
        if said.isalpha():
            found.add(said.casefold())
        elif said:
            found.update(token for token, _ in _read(said))
            found.update(learnt(said))
    for token in path_tokens(text):
        found.update((token, without_full_stop(token)))
    found |= paths(text)
    found.update(token for token, _ in onward(text))
    found.update(joined for joined, _, _ in _grouped(text))
    if found & _MONTH_WORDS:
        found.update(day for day, _, _ in _spelt(text))
    return found


def cased(text: str) -> set[str]:
    """What an index learns of the case of identifiers in `text`."""
    pieces = (piece.strip(_STRIPPED) for piece in _apart(plain(text)).split())
    return {token for said in pieces if said and not said.isalpha() for token in learnt(said)} | paths(plain(text))


def paths(text: str) -> set[str]:
    """What an index learns of the case of paths that reach further, in `text`, which is `plain`."""
    found: set[str] = set()
    apart = text.translate(_BETWEEN)
    for piece in apart.split() if len(apart) == len(apart.lower()) else ():
        word = piece.strip(_AROUND)
        if word and word != word.lower() and _reaches(word.lower()):
            for kept in (f"/{word}", without_full_stop(f"/{word}")):
                found |= {f"\x1c{kept}", f"\x1d{kept.lower()}"}
    return found


def learnt(said: str) -> set[str]:
    """What an index learns of the case of identifiers in a piece."""
    found: set[str] = set()
    for token, kind in _read(said):
        if kind is TokenKind.NUMBER and "." in token and said != token and said.rstrip("0") == token:
            found |= {f"\x1c{said}", f"\x1d{token}"}
        if kind not in {TokenKind.ID, TokenKind.ADDRESS, TokenKind.URL} or [len(part) for part in token.split("-")] == [
            8,
            4,
            4,
            4,
            12,
        ]:
            # Of the texts here, what has these lengths is a UUID.
            continue
        begin = said.lower().find(token)
        written = said[begin : begin + len(token)] if begin >= 0 and len(said) == len(said.lower()) else token
        if kind is TokenKind.ADDRESS:
            who, _, host = written.rpartition("@")
            written = f"{who[0].lower()}{who[1:]}@{host.lower()}"
        elif kind is TokenKind.URL:
            host = _HOST_END.split(written, maxsplit=1)[0]
            begin = host.rfind("@") + 1
            written = host[:begin] + host[begin:].lower() + written[len(host) :]
        if written != token:
            found |= {f"\x1c{written}", f"\x1d{token}"}
    return found


def parts(text: str) -> list[Token]:
    """The tokens of `text` in order, to be judged. A word that begins a sentence is no name."""
    text = plain(text)
    found: list[Token] = []
    fresh = True
    for piece in _apart(text).split():
        said = piece.strip(_STRIPPED)
        if said:
            if said.isalpha():
                kind = TokenKind.NAME if not fresh and said[0].isupper() else TokenKind.WORD
                found.append((said.casefold(), kind))
            else:
                found.extend(_read(said))
        fresh = piece[-1] in ".:?"
    spread = list(_grouped(text))
    if not _MONTH_WORDS.isdisjoint(token for token, _ in found):
        spread += _spelt(text)
    if spread:
        inside = frozenset(piece for _, _, pieces in spread for piece in pieces)
        found = [token for token in found if token[0] not in inside]
        found += [(joined, kind) for joined, kind, _ in spread]
    return [*found, *onward(text)]


def onward(text: str) -> Iterator[Token]:
    """The first URL of each part that has a scheme, or of what stands between spaces, with all that follows it."""
    for run in re.split(_END_OF_RUN, text):
        for part in re.split(r"(?<![A-Za-z0-9])(?=[A-Za-z][A-Za-z0-9]{1,15}://)", run):
            pieces = [found for found in re.finditer(rf"[^{_SPLITTERS}]+", part) if found[0].strip(_STRIPPED)]
            hosts = {TokenKind.URL, TokenKind.DOTTED}
            urls = [one for one in pieces if any(kind in hosts for _, kind in _all(one[0].strip(_STRIPPED)))]
            if not urls:
                continue
            first, after = urls[0][0].lstrip(_STRIPPED), part[urls[0].end() :].rstrip(_STRIPPED + "\\,;|()[]{}`*!“”„«»")
            _, scheme, rest = first.partition("://")
            below = _HOST_END.search(rest if scheme else first) is not None
            if (below or after.startswith("\\")) and re.search(r"[/?\\]", after):
                yield from (one for one in _all(first + after.replace("\\", "/")) if one[1] is TokenKind.URL)


def _all(said: str) -> list[Token]:
    return [] if said.isalpha() else list(_read(said))


def number(said: str) -> str:
    """One spelling of a decimal number: no zeros at its end, no exponent."""
    if "." in said:
        said = said.rstrip("0").rstrip(".")
    return said


def _apart(text: str) -> str:
    if "," in text:
        text = _THOUSANDS.sub("", text)
    return text.translate(_SPLIT)


def _read(said: str) -> Iterator[Token]:
    yield from _classified(said)
    if "." in said and (run_on := _RUN_ON.fullmatch(said)):
        yield from _classified(run_on[1])
        yield from _classified(run_on[2])


def _classified(said: str) -> Iterator[Token]:
    # Words fold; hosts and addresses do not: `ß` and `ss` lead to different ones.
    lower = _with_slashes(said.lower())
    if lower.endswith(("'s", "’s")):
        said, lower = said[:-2], lower[:-2]
    if lower.isalpha():
        yield (said.casefold(), TokenKind.NAME if said[0].isupper() else TokenKind.WORD)
        return
    if _DECIMAL.fullmatch(lower):
        kind = TokenKind.ACCOUNT if lower.isdigit() and len(lower) >= 8 else TokenKind.NUMBER
        yield (number(lower), kind)
        return
    if (day := _date(lower)) is not None:
        yield (day, TokenKind.DATE)
        return
    if "@" in lower and (address := _address(lower)) is not None:
        yield (address, TokenKind.ADDRESS)
        return
    if "::" in lower and _SIX.fullmatch(lower):
        yield (lower, TokenKind.URL)
        return
    if "://" in lower:
        yield from _linked(lower)
        return
    if (url := _bare_url(lower)) is not None:
        ending = lower.removesuffix(".").split(".")[-1]
        known = ending in ENDINGS or not re.fullmatch("[a-z]+", ending) or lower.startswith("www.")
        yield (url, TokenKind.URL if known or set(lower) & set("/?#:@") else TokenKind.DOTTED)
        return
    if _ACCOUNT.fullmatch(lower.replace(".", "") if _DOTTED.match(lower) else lower):
        yield (lower.replace(".", ""), TokenKind.ACCOUNT)
        return
    letters = lower.replace("-", "").replace("'", "").replace("’", "").replace("_", "")
    yield (lower, TokenKind.WORD if letters.isalpha() else TokenKind.ID)
    pieces = _APART.split(said, _PARTS_MAX)
    if _FILE.fullmatch(lower):
        pieces = ["", said.split("/")[-1]]
    if len(pieces) > 1:
        for piece in pieces[:_PARTS_MAX]:
            inner = piece.strip(_STRIPPED)
            if inner and inner != said and not _APART.search(inner):
                yield from _classified(inner)


def _with_slashes(lower: str) -> str:
    found = _FEW.fullmatch(lower)
    return lower if found is None or not _is_host(_name_of(found[2])) else f"{found[1]}://{found[2]}"


def _date(lower: str) -> str | None:
    if not lower[0].isdigit():
        return None
    if found := _ISO.fullmatch(lower):
        year, month, day = found.groups()
    elif found := _DAY_FIRST.fullmatch(lower):
        day, month, year = found.groups()
    else:
        return None
    return f"{year}-{int(month):02}-{int(day):02}"


def _address(lower: str) -> str | None:
    who = lower.removeprefix("mailto:")
    if lower.startswith("mailto:") and "?" in who:
        who, headers = who.split("?", 1)
        said = unquote(headers)
        names = [header.partition("=")[0] for header in headers.split("&")] if headers else []
        twice = any(header.count("=") > 1 for header in headers.split("&"))
        words = all(char.isalnum() or char in " -_!?'=&" for char in said)
        if twice or not words or {*names} - {"subject", "body"} or sum(char.isdigit() for char in said) >= 8:
            return None
    local, _, domain = who.rpartition("@")
    return f"{local}@{domain}" if local and "." in domain and _is_host(domain) and "/" not in local else None


def _linked(lower: str) -> Iterator[Token]:
    """The URL after the first `://`, which is where it leads, each that stands inside, and all where anything precedes.

    `view-source:https://…`, `git+https://…` and `a.example/?to=https://…` are not what they lead on to.
    """
    scheme, _, rest = lower.partition("://")
    if not scheme.isalnum():
        before = _SCHEME.sub("", scheme)
        yield (lower, TokenKind.URL if "." in before else TokenKind.ID)
    elif scheme not in {"http", "https"}:
        yield (lower, TokenKind.URL)
    yield (_place(rest) or lower, TokenKind.URL)
    inside = rest
    for _ in range(_PARTS_MAX):
        _, mark, inside = inside.partition("://")
        if not mark:
            return
        yield (_place(inside) or lower, TokenKind.URL)
    if "://" in inside:
        yield (_place(inside.rpartition("://")[2]) or lower, TokenKind.URL)


def _bare_url(lower: str) -> str | None:
    """A host without a scheme, and all after it."""
    name = _name_of(lower).removesuffix(".")
    return _page(lower) if "." in name and _is_host(name) else None


def _name_of(rest: str) -> str:
    host = _HOST_END.split(rest, maxsplit=1)[0].rpartition("@")[2]
    return host.rpartition(":")[0] or host


def _page(rest: str) -> str:
    """Host and all after it: what may lead to the same page is the same token."""
    host = _HOST_END.split(rest, maxsplit=1)[0]
    name = host.removeprefix("www.")
    return (name if "." in name else host) + rest[len(host) :].rstrip("/")


def _place(rest: str) -> str:
    """The page after `://`, with that where it names none by itself."""
    page = _page(rest)
    host = _HOST_END.split(page, maxsplit=1)[0]
    if not page or re.fullmatch(r"localhost|[^:]*:\d+|localhost:.*", host):
        return page
    name = host.partition(":")[0]
    if "." not in name or not _is_host(name.removesuffix(".")):
        return f"://{page}"
    return f"://{page}" if re.fullmatch(r"[^.:/?#]*[.](md|pl|ps|py|rs|sh|zip)", page) else page


def _is_host(name: str) -> bool:
    labels = name.split(".")
    last = labels[-1]
    if not (last.isalpha() or _CODED.fullmatch(last)) or len(last) < 2 or last in _FILES:
        return last.isdigit() and len(labels) == 4 and all(label.isdigit() for label in labels)
    return len(name) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _grouped(text: str) -> Iterator[tuple[str, TokenKind, tuple[str, ...]]]:
    """Account numbers in groups, each with the pieces that it stands in."""
    for found in _GROUPED.finditer(text):
        joined = found[0].replace(" ", "").replace("-", "").casefold()
        if len(joined) >= 8 and not _ISO.match(found[0]):
            lower = found[0].casefold()
            yield joined, TokenKind.ACCOUNT, (lower, *lower.replace("-", " ").split())


def _spelt(text: str) -> Iterator[tuple[str, TokenKind, tuple[str, ...]]]:
    """Dates in words, each with the pieces that it stands in."""
    for found in _SPELT.finditer(text):
        before, month, after, year = found.groups()
        day = before or after
        if day is not None:
            number_of = _MONTHS.index(month.casefold()[:3]) + 1
            said = tuple(piece.strip(",.") for piece in found[0].casefold().split())
            yield f"{year}-{number_of:02}-{int(day):02}", TokenKind.DATE, said


def _reaches(word: str) -> bool:
    return word[0] in "/~\\" or _GLOB.search(word) is not None or (".." in word and ".." in re.split(r"[/\\]", word))
