"""Secrets and numbers of nobody, made when they are needed: no file holds one.

Each takes a `random.Random`, so that a set is the same for the same seed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from random import Random

ALNUM: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def some(rng: Random, chars: int, of: str = ALNUM) -> str:
    """`chars` characters."""
    return "".join(rng.choice(of) for _ in range(chars))


def figures(rng: Random, count: int) -> str:
    """`count` figures, the first not zero."""
    return rng.choice("123456789") + some(rng, count - 1, "0123456789")


def checked_token(rng: Random, prefix: str = "ghp_") -> str:
    """A token with the CRC-32 in base 62 at its end."""
    body = some(rng, 30)
    left, check = zlib.crc32(body.encode()), ""
    for _ in range(6):
        left, digit = divmod(left, 62)
        check = ALNUM[digit] + check
    return prefix + body + check


def aws(rng: Random) -> str:
    """An access key id."""
    return "AKIA" + some(rng, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def jwt(rng: Random) -> str:
    """A signed token, by nobody's key."""
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": some(rng, 8), "exp": 4_000_000_000})]
    said = [base64.urlsafe_b64encode(part.encode()).rstrip(b"=").decode() for part in parts]
    return ".".join((*said, some(rng, 43)))


def pem(rng: Random) -> str:
    """A private key's form around noise."""
    lines = [base64.b64encode(rng.randbytes(48)).decode() for _ in range(6)]
    kind = rng.choice(("RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY"))
    return "\n".join((f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"))


def wallet(rng: Random) -> str:
    """A wallet's private key, uncompressed, with its check."""
    data = b"\x80" + rng.randbytes(32)
    data += hashlib.sha256(hashlib.sha256(data).digest()).digest()[:4]
    number, said = int.from_bytes(data, "big"), ""
    while number:
        number, digit = divmod(number, 58)
        said = BASE58[digit] + said
    return said


def password(rng: Random) -> str:
    """A password of letters, figures and signs."""
    return some(rng, 4) + rng.choice("!#%+=?") + some(rng, 7) + rng.choice("0123456789")


def luhn(body: str) -> str:
    """`body` with the check figure of ISO/IEC 7812."""
    total = 0
    for place, char in enumerate(reversed(body)):
        figure = int(char) * (1 if place % 2 else 2)
        total += figure - 9 if figure > 9 else figure
    return body + str(-total % 10)


def card(rng: Random) -> str:
    """A card's number, grouped or not."""
    number = luhn((rng.choice(("4", "51", "54", "6011")) + some(rng, 15, "0123456789"))[:15])
    fours = [number[at : at + 4] for at in range(0, 16, 4)]
    return rng.choice((number, " ".join(fours), "-".join(fours)))


def iban(rng: Random) -> str:
    """An account's number in Germany, the Netherlands or the United Kingdom."""
    country, body = rng.choice(
        (
            ("DE", figures(rng, 18)),
            ("NL", some(rng, 4, "ABCDEFGHIJ") + figures(rng, 10)),
            ("GB", some(rng, 4, "ABCDEFGHIJ") + figures(rng, 14)),
        )
    )
    number = "".join(str(int(char, 36)) for char in body + country + "00")
    whole = f"{country}{98 - int(number) % 97:02}{body}"
    return rng.choice((whole, " ".join(whole[at : at + 4] for at in range(0, len(whole), 4))))


def dni(rng: Random) -> str:
    """A Spaniard's number."""
    number = some(rng, 8, "0123456789")
    return number + "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]


def ahv(rng: Random) -> str:
    """A Swiss insurance number."""
    body = "756" + some(rng, 9, "0123456789")
    total = sum(int(char) * (3 if place % 2 else 1) for place, char in enumerate(body))
    whole = body + str(-total % 10)
    return f"{whole[:3]}.{whole[3:7]}.{whole[7:11]}.{whole[11:]}"


def ssn(rng: Random) -> str:
    """A number of the form of the American ones."""
    return f"{rng.randrange(100, 660):03}-{rng.randrange(10, 99):02}-{rng.randrange(1000, 9999):04}"


def cpf(rng: Random) -> str:
    """A Brazilian's number."""
    known = [rng.randrange(10) for _ in range(9)]
    for many in (9, 10):
        total = sum(figure * weight for figure, weight in zip(known, range(many + 1, 1, -1), strict=True))
        known.append(total * 10 % 11 % 10)
    whole = "".join(map(str, known))
    return f"{whole[:3]}.{whole[3:6]}.{whole[6:9]}-{whole[9:]}"


def nir(rng: Random) -> str:
    """A Frenchman's or Frenchwoman's number."""
    born = f"{rng.randrange(30, 99):02}{rng.randrange(1, 12):02}{rng.randrange(1, 95):02}"
    body = f"{rng.choice('12')}{born}{some(rng, 6, '123456789')}"
    return f"{body}{97 - int(body) % 97:02}"


def pesel(rng: Random) -> str:
    """A Pole's number."""
    body = f"{rng.randrange(30, 99):02}{rng.randrange(1, 12):02}{rng.randrange(1, 28):02}{some(rng, 4, '0123456789')}"
    total = sum(int(char) * weight for char, weight in zip(body, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3), strict=True))
    return body + str(-total % 10)


def swedish(rng: Random) -> str:
    """A Swede's number."""
    body = f"{rng.randrange(30, 99):02}{rng.randrange(1, 12):02}{rng.randrange(1, 28):02}{some(rng, 3, '0123456789')}"
    whole = luhn(body)
    return f"{whole[:6]}-{whole[6:]}"
