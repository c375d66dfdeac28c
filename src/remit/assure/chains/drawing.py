"""Chains as one SVG: a row for each chain, a box for each step, the policy that permitted it between them.

Every text is escaped: what stands in a name is never markup.
"""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from remit.assure.chains.results import ChainStep, FoundChain
from remit.assure.chains.written import title

_BOX_W: Final = 210
_BOX_H: Final = 74
_GAP_W: Final = 120
_ROW_H: Final = 140
_CHARS: Final = 30
_LABEL_CHARS: Final = 18
_FONT: Final = 'font-family="sans-serif" font-size="12"'


def drawing(chains: Sequence[FoundChain]) -> str:
    """`chains` as one SVG document."""
    longest = max((len(one.steps) for one in chains), default=1)
    width = 40 + longest * (_BOX_W + _GAP_W) - _GAP_W
    height = 20 + max(1, len(chains)) * _ROW_H
    size = f'width="{width}" height="{height}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height}" {_FONT}>',
        f'<rect {size} fill="#ffffff"/>',
    ]
    if not chains:
        lines.append(_text(20, 40, "no chain was found", "#1a7f37"))
    for row, one in enumerate(chains):
        lines.extend(_row(one, 20 + row * _ROW_H))
    return "\n".join([*lines, "</svg>", ""])


def _row(chain: FoundChain, top: int) -> Iterator[str]:
    yield _text(20, top + 14, _cut(title(chain), 120), "#82071e" if not chain.escalates else "#7d4e00", weight="bold")
    for number, step in enumerate(chain.steps):
        left = 20 + number * (_BOX_W + _GAP_W)
        last = number == len(chain.steps) - 1
        yield from _box(step, left, top + 28, last=last)
        if not last:
            yield from _arrow(left + _BOX_W, top + 28 + _BOX_H // 2, step, chain.steps[number + 1])


def _box(step: ChainStep, left: int, top: int, *, last: bool) -> Iterator[str]:
    edge = "#cf222e" if last else "#57606a"
    fill = "#ffebe9" if last else "#f6f8fa"
    yield (
        f'<rect x="{left}" y="{top}" width="{_BOX_W}" height="{_BOX_H}" rx="6" fill="{fill}" '
        f'stroke="{edge}" stroke-width="1.5"/>'
    )
    times = f" x{step.times}" if step.times > 1 else ""
    said = ", ".join(step.policies) or "-"
    named = (
        f"{step.doing.server}/{step.doing.name}" if step.doing.server else f"{step.doing.kind.value} {step.doing.name}"
    )
    for row, (text, colour) in enumerate(
        (
            ("/".join(step.chain), "#0550ae"),
            (f"{named}{times}", "#1f2328"),
            (f"by {said}", "#57606a"),
            (", ".join(step.labels) or "no label", "#8250df"),
        )
    ):
        yield _text(left + 8, top + 17 + row * 16, _cut(text, _CHARS), colour)


def _arrow(left: int, middle: int, step: ChainStep, following: ChainStep) -> Iterator[str]:
    right = left + _GAP_W
    yield (f'<path d="M{left} {middle}H{right - 6}m-6 -4l6 4l-6 4" fill="none" stroke="#57606a" stroke-width="1.5"/>')
    store = following.picks if following.picks is not None else step.leaves
    if store is not None:
        yield _text(left + 6, middle - 8, _cut(f"store {store}", _LABEL_CHARS), "#57606a")
    if step.gates:
        routes = ", ".join(dict.fromkeys(route for _, route in step.gates))
        yield _text(left + 6, middle + 18, _cut(f"{routes} says yes", _LABEL_CHARS), "#7d4e00")


def _text(left: int, base: int, text: str, colour: str, *, weight: str = "normal") -> str:
    return f'<text x="{left}" y="{base}" fill="{colour}" font-weight="{weight}">{escape(text)}</text>'


def _cut(text: str, most: int) -> str:
    clean = "".join(char if char.isprintable() else "�" for char in text)
    return clean if len(clean) <= most else f"{clean[: most - 1]}…"
