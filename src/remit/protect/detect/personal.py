"""Personal data that a checksum tells from other figures: accounts, cards, numbers that states give to people.

Sources: ISO 13616 (IBAN, registry of lengths), ISO/IEC 7812 (cards), and each state's own rule, cited where it is kept.
A number whose check one in ten figures would pass is found only as it is usually grouped, or beside its name.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from remit.protect.detect.checks import (
    aadhaar,
    ahv,
    belgian,
    card,
    codice,
    cpf,
    dni,
    hetu,
    iban,
    nhs,
    nir,
    norwegian,
    personnummer,
    pesel,
    proof11,
    ssn,
    tax_id,
)
from remit.protect.detect.span import DetectedSpan, without_overlaps

_NEAR_CHARS: Final = 40
"""How far before a number its name may stand."""


@dataclass(frozen=True, slots=True)
class NumberPattern:
    """One kind of number: its form, its check over figures and letters alone, and the names it needs beside it."""

    kind: str
    form: re.Pattern[str]
    holds: Callable[[str], bool]
    figures_min: int
    beside: re.Pattern[str] | None = None


def _rule(
    figures_min: int, kind: str, form: str, holds: Callable[[str], bool], beside: str | None = None
) -> NumberPattern:
    beside_pattern = None if beside is None else re.compile(beside, re.IGNORECASE)
    return NumberPattern(kind, re.compile(rf"(?<![\w.-]){form}(?![\w-])"), holds, figures_min, beside_pattern)


_FIGURES: Final = (
    _rule(13, "card number", r"[3-6](?:[ -]?[0-9]){12,18}", card),
    _rule(13, "card number", r"2[2-7][0-9]{2}(?:[ -]?[0-9]){12}", card),
    _rule(9, "social security number", r"[0-8][0-9]{2}-[0-9]{2}-[0-9]{4}", ssn),
    _rule(13, "insurance number (CH)", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", ahv),
    _rule(13, "insurance number (FR)", r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}", nir),
    _rule(11, "tax number (BR)", r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}", cpf),
    _rule(11, "tax number (BR)", r"[0-9]{11}", cpf, r"\bcpf\b"),
    _rule(11, "national number (BE)", r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", belgian),
    _rule(11, "national number (BE)", r"[0-9]{11}", belgian, r"rijksregister|registre national|national number"),
    _rule(11, "personal number (NO)", r"[0-3][0-9][01][0-9]{3} ?[0-9]{5}", norwegian),
    _rule(11, "personal number (PL)", r"[0-9]{11}", pesel, r"\bpesel\b"),
    _rule(10, "personal number (SE)", r"(?:[0-9]{2})?[0-9]{2}[01][0-9][0-9]{2}[-+][0-9]{4}", personnummer),
    _rule(11, "tax number (DE)", r"[1-9][0-9]{10}", tax_id, r"steuer|tax|\bidnr|\btin\b"),
    _rule(11, "tax number (DE)", r"[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3}", tax_id),
    _rule(10, "health number (GB)", r"[0-9]{3} [0-9]{3} [0-9]{4}", nhs),
    _rule(10, "health number (GB)", r"[0-9]{10}", nhs, r"\bnhs\b"),
    _rule(9, "citizen number (NL)", r"[0-9]{9}", proof11, r"\bbsn\b|burgerservice|sofi"),
    _rule(12, "citizen number (IN)", r"[2-9][0-9]{3} [0-9]{4} [0-9]{4}", aadhaar),
    _rule(12, "citizen number (IN)", r"[2-9][0-9]{11}", aadhaar, r"aadhaar"),
)
_LETTERED: Final = (
    _rule(8, "account number", r"[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?", iban),
    _rule(7, "identity number (ES)", r"[0-9]{8}-?[A-HJ-NP-TV-Z]", dni),
    _rule(7, "identity number (ES)", r"[XYZ]-?[0-9]{7}-?[A-HJ-NP-TV-Z]", dni),
    _rule(7, "tax number (IT)", r"[A-Z]{6}[0-9]{2}[A-EHLMPRST][0-9]{2}[A-Z][0-9]{3}[A-Z]", codice),
    _rule(9, "personal number (FI)", r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]", hetu),
)
_RULES: Final = (*_LETTERED, *_FIGURES)
_CHUNK: Final = re.compile(r"[A-Z0-9](?:[ .+-]{0,2}[A-Z0-9]){7,}")
"""Capitals and figures with little between them: whatever stands in none is no such number."""
_FIGURE: Final = re.compile(r"[0-9]")
_LETTER: Final = re.compile(r"[A-Z]")
_FIGURES_MIN: Final = 7


def personal(text: str) -> list[DetectedSpan]:
    """The numbers in `text` that belong to somebody."""
    spans: list[DetectedSpan] = []
    for chunk in _CHUNK.finditer(text):
        figures = len(_FIGURE.findall(chunk[0]))
        if figures < _FIGURES_MIN:
            continue
        # One character more, so that what a number runs into is seen.
        end = min(len(text), chunk.end() + 1)
        for rule in _RULES if _LETTER.search(chunk[0]) else _FIGURES:
            if figures >= rule.figures_min:
                spans += _spans_of(rule, text, chunk.start(), end)
    return without_overlaps(spans) if len(spans) > 1 else spans


def _spans_of(rule: NumberPattern, text: str, start: int, end: int) -> list[DetectedSpan]:
    return [
        DetectedSpan(match.start(), match.end(), rule.kind)
        for match in rule.form.finditer(text, start, end)
        if rule.holds(match[0]) and _is_named(rule, text, match.start())
    ]


def _is_named(rule: NumberPattern, text: str, at: int) -> bool:
    return rule.beside is None or rule.beside.search(text, max(0, at - _NEAR_CHARS), at) is not None


_AT: Final = re.compile(r"@")
_LOCAL: Final = re.compile(r"[A-Za-z0-9._%+'-]{1,64}")
"""Read from its end."""
_DOMAIN: Final = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])")


def emails(text: str) -> list[DetectedSpan]:
    """Addresses of electronic mail (RFC 5321), as they are usual."""
    spans: list[DetectedSpan] = []
    for at_sign in _AT.finditer(text):
        local = _LOCAL.match(text[max(0, at_sign.start() - 64) : at_sign.start()][::-1])
        domain = _DOMAIN.match(text, at_sign.end())
        if local is not None and domain is not None:
            spans.append(DetectedSpan(at_sign.start() - len(local[0]), domain.end(), "mail address"))
    return spans
