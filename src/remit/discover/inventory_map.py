"""The map: agents → servers and their tools → data as one SVG, agents collapsed by team.

Laws
* Text is escaped, cut to its box, and never markup; the drawing holds no script and leads nowhere outside.
* Boxes stay few: a team is one box that lists its agents, a server one that lists its tools, and data beyond `DATA_MAX`
  is one box. What a box cuts off is counted in it, and told in its title.
* What is worst stands first: teams by the worst of their agents, agents by their own. No line runs behind a box.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from typing import Final, assert_never

from remit.discover.graph import Node, short_name, with_targets
from remit.discover.sighting import Kind, Subject, Verb
from remit.facts.text import one_line

LINES_MAX: Final = 7
"""Lines that a box lists."""
DATA_MAX: Final = 40
TITLE_LINES_MAX: Final = 60
NOBODY: Final = "no owner"

_BOX: Final = 300
_GAP: Final = 190
_LINE: Final = 17
_HEAD: Final = 26
_SPACE: Final = 16
_MARGIN: Final = 28
_TOP: Final = 84
_CHARS: Final = 36
_CROWDED: Final = 12
"""How far a line goes rather than share its room with one more."""
_OVER: Final = 2
"""Columns between whose ends another one stands."""
_COLUMNS: Final = ("Teams and their agents", "Servers and their tools", "Data")
_WARNED: Final = ("Drifted", "Shadow", "ToxicCombination")
"""The worst is last."""
_LANES: Final = (0, -4, 4, -2, 2)
"""Where lines stand that share the room between two boxes."""
_STYLE: Final = (
    "text{font:12px system-ui,sans-serif;fill:#1f2933}"
    ".h{font-weight:600}.c{font-size:14px;font-weight:600;fill:#52606d}.t{font-size:18px;font-weight:600}"
    ".n{fill:#7b8794}.w{fill:#b42318}"
    "rect{fill:#fff;stroke:#9aa5b1;rx:6}.agent rect{stroke:#3563c9}.server rect{stroke:#6d4bb0}"
    ".data rect{stroke:#2f855a}"
    ".warned rect{stroke:#b42318;stroke-width:2}"
    "path{fill:none;stroke:#9aa5b1;stroke-opacity:.75}.writes{stroke:#c2571a}.reads{stroke:#2f855a}"
    ".delegates{stroke:#3563c9}"
)


@dataclass(slots=True)
class _Box:
    key: str
    kind: str
    head: str
    lines: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Each with how bad it is, 0 for not at all."""
    note: str = ""
    y: float = 0.0

    @property
    def worst(self) -> int:
        return max((bad for _, bad in self.lines), default=0)

    @property
    def shown(self) -> int:
        return min(len(self.lines), LINES_MAX) + (len(self.lines) > LINES_MAX) + bool(self.note)

    @property
    def height(self) -> int:
        return _HEAD + self.shown * _LINE + (8 if self.shown else 2)


Edges = dict[tuple[str, str, str], int]


def as_svg(nodes: Iterable[Node], title: str = "Agents, what they use, and the data they reach") -> str:
    """The SVG of `nodes`."""
    by_subject = {node.subject: node for node in with_targets(nodes)}
    boxes_by_subject, columns = _place(by_subject)
    edges = _edges(by_subject, boxes_by_subject)
    _order(columns, edges)
    heights = [sum(box.height + _SPACE for box in boxes) for boxes in columns]
    height = _TOP + max(heights)
    for boxes, column_height in zip(columns, heights, strict=True):
        y = _TOP + (height - _TOP - column_height) / 2
        for box in boxes:
            box.y = y
            y += box.height + _SPACE
    width = 2 * _MARGIN + 3 * _BOX + 2 * _GAP
    where = {box.key: (column, box) for column, boxes in enumerate(columns) for box in boxes}
    size = f'width="{width}" height="{height + _MARGIN}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {width} {height + _MARGIN}" role="img">',
        f"<title>{_safe(title)}</title><style>{_STYLE}</style>",
        f'<rect {size} style="fill:#f7f9fb;stroke:none"/>',
        f'<text class="t" x="{_MARGIN}" y="34">{_safe(title)}</text>',
        *(f'<text class="c" x="{_x(index)}" y="68">{name}</text>' for index, name in enumerate(_COLUMNS)),
        *_legend(width),
        *_lines(edges, where, columns),
        *(_box(box, column) for column, boxes in enumerate(columns) for box in boxes),
        "</svg>\n",
    ]
    return "\n".join(parts)


def teams_of(nodes: Iterable[Node]) -> list[str]:
    """The teams that agents have, in order of names."""
    return sorted({node.owner or NOBODY for node in nodes if node.subject.kind is Kind.AGENT})


def of_team(nodes: Iterable[Node], team: str) -> list[Node]:
    """The agents of `team`, each a team of its own, and all that they reach."""
    by_subject = {node.subject: node for node in with_targets(nodes)}
    agents = [
        agent for agent in by_subject.values() if agent.subject.kind is Kind.AGENT and (agent.owner or NOBODY) == team
    ]
    pending, reached = [node.subject for node in agents], dict[Subject, Node]()
    while pending:
        subject = pending.pop()
        if subject not in reached:
            node = by_subject[subject]
            reached[subject] = replace(node, owner=short_name(subject)) if subject.kind is Kind.AGENT else node
            pending += [to for _, to in node.links]
    return [*reached.values()]


def _place(by_subject: Mapping[Subject, Node]) -> tuple[dict[Subject, str], tuple[list[_Box], list[_Box], list[_Box]]]:
    """Which box each subject is in, and the boxes of each column."""
    place: dict[Subject, str] = {}
    teams: dict[str, _Box] = {}
    servers: dict[str, _Box] = {}
    data: dict[str, _Box] = {}
    models: dict[str, set[str]] = {}
    many = sum(subject.kind is Kind.DATA for subject in by_subject) > DATA_MAX
    for subject, node in by_subject.items():
        match subject.kind:
            case Kind.AGENT:
                team = node.owner or NOBODY
                box = teams.setdefault(team, _Box(f"agent {team}", "agent", team))
                warned = [condition for condition in node.conditions if condition in _WARNED]
                bad = sum(1 << _WARNED.index(condition) for condition in warned)
                box.lines.append((short_name(subject) + (f"  ({', '.join(warned)})" if warned else ""), bad))
                used = {short_name(to) for _, to in node.links if to.kind is Kind.MODEL}
                models.setdefault(team, set()).update(used)
                place[subject] = box.key
            case Kind.SERVER:
                box = servers.setdefault(str(subject), _Box(f"server {subject}", "server", short_name(subject)))
                place[subject] = box.key
            case Kind.DATA:
                head = "data" if many else short_name(subject)
                box = data.setdefault(head, _Box(f"data {head}", "data", head))
                if many:
                    box.lines.append((short_name(subject), 0))
                place[subject] = box.key
            case Kind.TOOL | Kind.MODEL | Kind.PROMPT:
                pass
            case _:
                assert_never(subject.kind)
    _place_tools(by_subject, place, servers)
    for team, used in models.items():
        teams[team].note = f"models: {', '.join(sorted(used))}" if used else ""
        teams[team].head = f"{team}  ·  {len(teams[team].lines)} agent{'s' if len(teams[team].lines) != 1 else ''}"
    return place, (_by_head(teams), _by_head(servers), _by_head(data))


def _place_tools(by_subject: Mapping[Subject, Node], place: dict[Subject, str], servers: dict[str, _Box]) -> None:
    """Put each tool into the box of the server that has it, by a link or by its name; else into that of its place."""
    owners = {
        to: str(node.subject)
        for node in by_subject.values()
        if node.subject.kind is Kind.SERVER
        for _, to in node.links
    }
    for subject in by_subject:
        if subject.kind is Kind.TOOL:
            before = Subject(Kind.SERVER, subject.name.rpartition("/")[0], subject.space)
            key = owners.get(subject) or (str(before) if before in by_subject else f"tools of {_home(subject)}")
            box = servers.setdefault(key, _Box(f"server {key}", "server", key))
            box.lines.append((short_name(subject), 0))
            place[subject] = box.key


def _home(subject: Subject) -> str:
    """Where a tool that no server has comes from."""
    return subject.name.partition("#")[0].partition("/")[0] if subject.space == "repo" else subject.space or "no server"


def _by_head(boxes: Mapping[str, _Box]) -> list[_Box]:
    for box in boxes.values():
        box.lines.sort(key=lambda line: (-line[1], line[0]))
    return sorted(boxes.values(), key=lambda box: (-len(box.lines), box.head))


def _edges(by_subject: Mapping[Subject, Node], place: Mapping[Subject, str]) -> Edges:
    """Links between boxes, and how many each stands for; those within a box, as of a server to its tool, are none."""
    edges: Edges = {}
    for node in by_subject.values():
        one = place.get(node.subject)
        for verb, to in node.links:
            other = place.get(to)
            if one is not None and other is not None and one != other:
                key = (one, other, verb.value)
                edges[key] = edges.get(key, 0) + 1
    return edges


def _order(columns: Sequence[list[_Box]], edges: Edges) -> None:
    """Bring boxes near to what they are linked with, by their mean place; what is worst comes first."""
    for sweep in (columns[1:], columns[-2::-1], columns[1:]):
        for boxes in sweep:
            position = {box.key: index / len(one) for one in columns for index, box in enumerate(one)}
            neighbours: dict[str, list[float]] = {}
            for one, other, _ in edges:
                neighbours.setdefault(one, []).append(position[other])
                neighbours.setdefault(other, []).append(position[one])
            mean = {key: sum(places) / len(places) for key, places in neighbours.items()}
            boxes.sort(key=lambda box: (-box.worst, mean.get(box.key, 2.0), box.head))


def _x(column: int) -> int:
    return _MARGIN + column * (_BOX + _GAP)


def _lines(edges: Edges, where: Mapping[str, tuple[int, _Box]], columns: Sequence[list[_Box]]) -> Iterable[str]:
    free = _free(columns[1])
    lanes = dict.fromkeys(free, 0)
    for (one, other, verb), count in sorted(edges.items()):
        (left, a), (right, b) = where[one], where[other]
        lane = None
        if abs(left - right) == _OVER:
            middle = (a.y + b.y + (a.height + b.height) / 2) / 2
            room = min(free, key=lambda y, middle=middle: abs(y - middle) + lanes[y] * _CROWDED)
            lane = room + _LANES[lanes[room] % len(_LANES)]
            lanes[room] += 1
        yield _edge((left, a), (right, b), verb, count, lane)


def _free(boxes: Sequence[_Box]) -> list[float]:
    """Where a line passes a column without running behind one of its boxes."""
    if not boxes:
        return [_TOP]
    return [boxes[0].y - _SPACE / 2, *(box.y + box.height + _SPACE / 2 for box in boxes)]


def _edge(one: tuple[int, _Box], other: tuple[int, _Box], verb: str, count: int, lane: float | None) -> str:
    (left, a), (right, b) = one, other
    y1, y2 = a.y + a.height / 2, b.y + b.height / 2
    width = min(1 + count**0.5 * 0.6, 6)
    tooltip = f"<title>{_safe(f'{a.head} {verb} {b.head}: {count}')}</title>"
    if left == right:
        x = _x(left) + _BOX
        path = f"M{x} {y1:.0f}C{x + 60} {y1:.0f} {x + 60} {y2:.0f} {x} {y2:.0f}"
    else:
        x1, x2 = (_x(left) + _BOX, _x(right)) if left < right else (_x(left), _x(right) + _BOX)
        path = f"M{x1} {y1:.0f}"
        if lane is None:
            path += _curve(x1, y1, x2, y2)
        else:
            # Over the column between, in the room that its boxes leave.
            near, far = (_x(1), _x(1) + _BOX) if left < right else (_x(1) + _BOX, _x(1))
            path += f"{_curve(x1, y1, near, lane)}H{far}{_curve(far, lane, x2, y2)}"
    return f'<path class="{verb}" d="{path}" style="stroke-width:{width:.1f}">{tooltip}</path>'


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (x1 + x2) / 2
    return f"C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"


def _box(box: _Box, column: int) -> str:
    x, y = _x(column), box.y
    title = "\n".join([box.head, box.note, *(line for line, _ in box.lines[:TITLE_LINES_MAX])])
    parts = [
        f'<g class="{box.kind}{" warned" if box.worst else ""}"><title>{_safe(title)}</title>',
        f'<rect x="{x}" y="{y:.0f}" width="{_BOX}" height="{box.height}"/>',
        f'<text class="h" x="{x + 12}" y="{y + 18:.0f}">{_cut(box.head)}</text>',
    ]
    at = y + _HEAD + 12
    rows = [(line, "w" if bad else "") for line, bad in box.lines[:LINES_MAX]]
    if len(box.lines) > LINES_MAX:
        rows.append((f"and {len(box.lines) - LINES_MAX} more", "n"))
    if box.note:
        rows.append((box.note, "n"))
    for line, look in rows:
        parts.append(f'<text class="{look}" x="{x + 12}" y="{at:.0f}">{_cut(line, _CHARS + 8)}</text>')
        at += _LINE
    return "".join([*parts, "</g>"])


def _legend(width: int) -> Iterable[str]:
    for index, verb in enumerate((Verb.USES, Verb.READS, Verb.WRITES, Verb.DELEGATES)):
        at = width - _MARGIN - 330 + index * 84
        line = f'<path class="{verb.value}" d="M{at} 30H{at + 20}" style="stroke-width:3"/>'
        yield f'{line}<text x="{at + 25}" y="34">{verb.value}</text>'


def _cut(text: str, chars_max: int = _CHARS) -> str:
    plain = one_line(text)
    return escape(plain if len(plain) <= chars_max else f"{plain[: chars_max - 1]}…")


def _safe(text: str) -> str:
    return escape("\n".join(one_line(line) for line in text.split("\n")))
