"""Secrets: by the form that whoever issues them gave them, by their checksums, and by how random a value is.

A rule's needles are looked for first, so that a text without any costs one search each. Forms with a checksum are found
only where it is right. What no form tells is found only beside a word that says what it is.
"""

import base64
import binascii
import hashlib
import math
import re
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import orjson

from remit.protect.detect.span import DetectedSpan, without_overlaps

_BASE62: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BASE58: Final = {
    char: value for value, char in enumerate("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")
}
_CHECK: Final = 6
_ENTROPY_MIN: Final = 3.0
"""Bits for each character, below which a value beside a telling word is taken for a plain word."""
_VALUE_CHARS_MIN: Final = 8
_PEM_CHARS_MAX: Final = 20_000


def _always(_text: str) -> bool:
    return True


def _crc(token: str) -> bool:
    """GitHub's and npm's tokens end in the CRC-32 of what stands between prefix and check, in base 62."""
    body = token.partition("_")[2]
    remainder, digits = zlib.crc32(body[:-_CHECK].encode("ascii")), ""
    while remainder:
        remainder, digit = divmod(remainder, len(_BASE62))
        digits = _BASE62[digit] + digits
    return digits.rjust(_CHECK, "0") == body[-_CHECK:]


def _jwt(token: str) -> bool:
    """The header of a JSON Web Token names its algorithm (RFC 7515)."""
    head = token.partition(".")[0]
    try:
        header = orjson.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error):
        return False
    return isinstance(header, dict) and "alg" in header


def _base58check(key: str) -> bool:
    """Keys of Bitcoin's kin end in four bytes of a double SHA-256."""
    number = 0
    for char in key:
        number = number * 58 + _BASE58[char]
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    check = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4]
    return check == data[-4:]


def _random(text: str) -> bool:
    return entropy(text) >= _ENTROPY_MIN


@dataclass(frozen=True, slots=True)
class SecretPattern:
    """One form: it is looked for where a text holds one of `needles`, and found where `holds` says so."""

    kind: str
    needles: tuple[str, ...]
    form: re.Pattern[str]
    holds: Callable[[str], bool] = _always


def _rule(kind: str, needles: str, form: str, holds: Callable[[str], bool] = _always) -> SecretPattern:
    return SecretPattern(kind, tuple(needles.split()), re.compile(form), holds)


RULES: Final = (
    _rule("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_[A-Za-z0-9]{36}\b", _crc),
    _rule("GitHub token", "github_pat_", r"\bgithub_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}\b"),
    _rule("npm token", "npm_", r"\bnpm_[A-Za-z0-9]{36}\b", _crc),
    _rule("GitLab token", "glpat-", r"\bglpat-[A-Za-z0-9_-]{20,64}(?![A-Za-z0-9_-])"),
    _rule("AWS key id", "AKIA ASIA", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    _rule("Google key", "AIza", r"\bAIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    _rule("Slack token", "xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,250}"),
    _rule("Stripe key", "sk_live_ sk_test_ rk_live_ rk_test_", r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,128}\b"),
    _rule("model provider's key", "sk-", r"\bsk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{32,200}", _random),
    _rule("Hugging Face token", "hf_", r"\bhf_[A-Za-z0-9]{34}\b", _random),
    _rule("SendGrid key", "SG.", r"\bSG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])"),
    _rule("PyPI token", "pypi-AgE", r"\bpypi-AgE[A-Za-z0-9_-]{50,500}"),
    _rule("JSON Web Token", "eyJ", r"\beyJ[A-Za-z0-9_-]{8,2000}\.[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{16,1000}", _jwt),
    _rule("wallet key", "5 K L", r"\b[5KL][1-9A-HJ-NP-Za-km-z]{50,51}\b", _base58check),
    _rule("wallet key", "xprv", r"\bxprv[1-9A-HJ-NP-Za-km-z]{107}\b", _base58check),
    _rule("password in a URL", "://", r"(?<=://)[^\s/:@\"'<>]{1,100}:[^\s/:@\"'<>]{3,100}(?=@[A-Za-z0-9])"),
)
_PEM_BEGIN: Final = re.compile(r"-----BEGIN ([A-Z0-9 ]{0,32}PRIVATE KEY(?: BLOCK)?)-----")
_TELLING: Final = (
    "password", "passwd", "passphrase", "secret", "token", "api_key", "api key", "apikey", "api-key", "access_key",
    "private_key", "credential", "bearer", "client_key", "auth_key",
)  # fmt: skip
_BESIDE: Final = re.compile(
    r"(?:password|passwd|passphrase|secret|token|api[ _-]?key|access_key|private_key|credential|client_key|auth_key)"
    r"[a-z0-9_-]{0,24}[\"'`]?\s{0,3}(?:[:=]{1,2}>?|\bis\b)\s{0,3}[\"'`]?([^\s\"'`<>,;(){}\[\]]{8,200})"
    r"|\bbearer\s{1,3}([a-z0-9._~+/-]{16,500}=*)",
    re.IGNORECASE,
)
_PLACEHOLDER: Final = re.compile(
    r"(?:x{4,}|\*{3,}|\.{3,}|•{3,}|your|example|changeme|change-me|placeholder|redacted|dummy|sample|\$\{?|%\w|env\b|none\b|null\b"
    r"|true\b|false\b|https?:|/)",
    re.IGNORECASE,
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_WORDS: Final = re.compile(r"[A-Za-z]+(?:[._-][A-Za-z]+)*")


def secrets(text: str) -> list[DetectedSpan]:
    """The secrets in `text`: a whole token, key or password, without the word beside it."""
    spans: list[DetectedSpan] = []
    for rule in RULES:
        if any(needle in text for needle in rule.needles):
            matches = ((match.start(), match.end(), match[0]) for match in rule.form.finditer(text))
            spans.extend(
                DetectedSpan(start, end, rule.kind) for start, end, text_found in matches if rule.holds(text_found)
            )
    if "PRIVATE KEY" in text:
        spans.extend(_keys(text))
    lowered = text.lower()
    if any(word in lowered for word in _TELLING):
        spans.extend(_beside(text))
    return without_overlaps(spans) if len(spans) > 1 else spans


def entropy(text: str) -> float:
    """Shannon's, in bits for each character, of the frequencies in `text` itself."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)


def _keys(text: str) -> list[DetectedSpan]:
    spans: list[DetectedSpan] = []
    at = 0
    while (begin := _PEM_BEGIN.search(text, at)) is not None:
        # What has no end is a key that was cut off.
        end = text.find("-----END", begin.end(), begin.end() + _PEM_CHARS_MAX)
        last = text.find("-----", end + 8) + 5 if end >= 0 else min(len(text), begin.end() + _PEM_CHARS_MAX)
        at = max(last, begin.end())
        spans.append(DetectedSpan(begin.start(), at, "private key"))
    return spans


def _beside(text: str) -> list[DetectedSpan]:
    spans: list[DetectedSpan] = []
    for match in _BESIDE.finditer(text):
        group = 1 if match[1] is not None else 2
        value = match[group].rstrip(".!?:")
        if _is_value(value):
            spans.append(DetectedSpan(match.start(group), match.start(group) + len(value), "value called a secret"))
    return spans


def _is_value(value: str) -> bool:
    if len(value) < _VALUE_CHARS_MIN or _PLACEHOLDER.match(value) or entropy(value) < _ENTROPY_MIN - 0.4:
        return False
    if value.isdigit() or _UUID.fullmatch(value):
        return False
    # A word, or words joined, is what a text about secrets says; what is random mixes letters with figures or signs.
    return not _WORDS.fullmatch(value)
