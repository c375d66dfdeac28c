"""The checks of numbers that states, banks and card schemes give: each says whether one, as it is written, holds."""

import re
from collections.abc import Sequence
from typing import Final

_OUT: Final = re.compile(r"[^A-Z0-9]")
_IBAN_CHARS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip
"""SWIFT's registry of IBAN lengths, release 99."""
_CARDS: Final = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12,15}|62[0-9]{14,17}"
)
_DNI: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU: Final = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_DIHEDRAL: Final = (
    "0123456789", "1234067895", "2340178956", "3401289567", "4012395678",
    "5987604321", "6598710432", "7659821043", "8765932104", "9876543210",
)  # fmt: skip
_PERMUTED: Final = (
    "0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258",
)  # fmt: skip
"""Verhoeff's tables: the dihedral group of order ten, and its permutations."""
_CODICE_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_TEN: Final = 10
_ELEVEN: Final = 11


def _bare(text: str) -> str:
    return _OUT.sub("", text)


def _figures(text: str) -> list[int]:
    return [int(char) for char in text if char.isdigit()]


def _sum(figures: Sequence[int], weights: Sequence[int]) -> int:
    return sum(figure * weight for figure, weight in zip(figures, weights, strict=True))


def _is_day(month: int, day: int) -> bool:
    return 1 <= month <= 12 and 1 <= day <= 31


def luhn(figures: Sequence[int]) -> bool:
    """ISO/IEC 7812-1, annex B."""
    total = sum(figures[-1::-2]) + sum(sum(divmod(2 * figure, 10)) for figure in figures[-2::-2])
    return total % _TEN == 0


def iban(text: str) -> bool:
    """ISO 13616: the length of its country, and 1 by modulus 97."""
    bare = _bare(text)
    if _IBAN_CHARS.get(bare[:2]) != len(bare):
        return False
    return int("".join(str(int(char, 36)) for char in bare[4:] + bare[:4])) % 97 == 1


def card(text: str) -> bool:
    """A number that a known scheme gives out, with its check; not the same figure all along."""
    bare = _bare(text)
    return _CARDS.fullmatch(bare) is not None and len(set(bare)) > 1 and luhn(_figures(bare))


def ssn(text: str) -> bool:
    """The Social Security Administration's: no check, but areas, groups and serials that are never given."""
    area, group, serial = text.split("-")
    return area not in {"000", "666"} and group != "00" and serial != "0000"


def ahv(text: str) -> bool:
    """Switzerland's insurance number: an EAN-13."""
    figures = _figures(text)
    return _sum(figures, (1, 3) * 6 + (1,)) % _TEN == 0


def nir(text: str) -> bool:
    """France's insurance number: 97 less the rest of the others by 97; Corsica's letters count as INSEE says."""
    bare = _bare(text)
    number = bare[:13].replace("2A", "19").replace("2B", "18")
    month = bare[3:5]
    if not number.isdigit() or not ("01" <= month <= "12" or month >= "20"):
        return False
    return 97 - int(number) % 97 == int(bare[13:])


def cpf(text: str) -> bool:
    """Brazil's tax number: two checks by eleven."""
    figures = _figures(text)
    if len(set(figures)) == 1:
        return False
    for many in (9, 10):
        check = _sum(figures[:many], range(many + 1, 1, -1)) * _TEN % _ELEVEN % _TEN
        if check != figures[many]:
            return False
    return True


def belgian(text: str) -> bool:
    """Belgium's national number: 97 less the rest by 97, with a 2 before it for those born since 2000."""
    bare = _bare(text)
    check = int(bare[9:])
    return int(bare[2:4]) <= 12 and check in {97 - int(bare[:9]) % 97, 97 - int("2" + bare[:9]) % 97}


def norwegian(text: str) -> bool:
    """Norway's birth number: a day, and two checks by eleven."""
    figures = _figures(text)
    day, month = figures[0] * 10 + figures[1], figures[2] * 10 + figures[3]
    if not _is_day(month, day):
        return False
    first = _sum(figures[:10], (3, 7, 6, 1, 8, 9, 4, 5, 2, 1)) % _ELEVEN
    return first == 0 and _sum(figures, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)) % _ELEVEN == 0


def pesel(text: str) -> bool:
    """Poland's: a day whose month tells the century, and a check by ten."""
    figures = _figures(text)
    if not _is_day((figures[2] * 10 + figures[3]) % 20, figures[4] * 10 + figures[5]):
        return False
    return _sum(figures, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % _TEN == 0


def personnummer(text: str) -> bool:
    """Sweden's: a day (plus 60 for a coordination number), and Luhn's check over ten figures."""
    figures = _figures(text)[-10:]
    day = figures[4] * 10 + figures[5]
    return _is_day(figures[2] * 10 + figures[3], day - 60 if day > 60 else day) and luhn(figures)


def tax_id(text: str) -> bool:
    """Germany's: of the first ten figures one stands twice or three times; ISO 7064, modulus 11, 10."""
    figures = _figures(text)
    most = max(figures[:10].count(figure) for figure in set(figures[:10]))
    if most not in {2, 3}:
        return False
    product = _TEN
    for figure in figures[:10]:
        product = ((figure + product) % _TEN or _TEN) * 2 % _ELEVEN
    return (_ELEVEN - product) % _TEN == figures[10]


def nhs(text: str) -> bool:
    """The health number of England, Wales and the Isle of Man: by eleven."""
    figures = _figures(text)
    check = -_sum(figures[:9], range(10, 1, -1)) % _ELEVEN
    return check == figures[9]


def proof11(text: str) -> bool:
    """The Netherlands' citizen number: the "elfproef"."""
    figures = _figures(text)
    return any(figures) and _sum(figures, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % _ELEVEN == 0


def aadhaar(text: str) -> bool:
    """India's: Verhoeff's check."""
    check = 0
    for place, figure in enumerate(reversed(_figures(text))):
        check = int(_DIHEDRAL[check][int(_PERMUTED[place % 8][figure])])
    return check == 0


def dni(text: str) -> bool:
    """Spain's, and that of foreigners there: a letter by 23."""
    bare = _bare(text)
    number = "XYZ".find(bare[0])
    figures = bare[:-1] if number < 0 else f"{number}{bare[1:-1]}"
    return _DNI[int(figures) % 23] == bare[-1]


def codice(text: str) -> bool:
    """Italy's: its last letter, by the table of 1976."""
    total = 0
    for place, char in enumerate(text[:15]):
        value = int(char, 36) - (_TEN if char.isalpha() else 0)
        total += value if place % 2 else _CODICE_ODD[value]
    return chr(ord("A") + total % 26) == text[15]


def hetu(text: str) -> bool:
    """Finland's: a day, and a character by 31."""
    figures = text[:6] + text[7:10]
    return _is_day(int(text[2:4]), int(text[:2])) and _HETU[int(figures) % 31] == text[10]
