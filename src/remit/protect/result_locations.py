"""Where the values of a result stand, and which part of the catalog each place is in.

Places are made when a result first has them, and kept for the next one up to a limit: results of one tool look alike.
"""

from typing import Final

from remit.facts.results import Part, Step, elements, steps

WHOLE: Final = "$"
PLACES_MAX: Final = 4_096
"""How many places are kept for one tool."""
KEPT_NAME_CHARS_MAX: Final = 200
"""The place of a member with a longer name is made anew each time."""
_NAME_CHARS_MAX: Final = 80
_PATTERN_CHARS_MAX: Final = 500
_ROOTS_MAX: Final = 4_096


class _Node:
    """The paths of a catalog that have a step in common. What leads to each member leads to no element of a list."""

    __slots__ = ("by_step", "each_element", "each_member", "part")

    def __init__(self) -> None:
        self.by_step: dict[Step, _Node] = {}
        self.each_member: _Node | None = None
        self.each_element: _Node | None = None
        self.part: Part | None = None


class ResultLocation:
    """Where in a result a value stands: its pattern, and the part of the catalog that it is in.

    Places are made when a result first has them, and kept for the next one up to a limit. A pattern is for people to
    read: names in it are cut, and it ends where it is long.
    """

    __slots__ = ("_budget", "_elements", "_members", "_nodes", "depth", "is_named", "part", "pattern")

    def __init__(
        self,
        pattern: str,
        nodes: tuple[_Node, ...],
        parent: Part | None,
        depth: int,
        *,
        is_named: bool,
        budget: list[int],
    ) -> None:
        self.pattern = pattern
        self.part = next((node.part for node in nodes if node.part is not None), parent)
        self.depth = depth
        self.is_named = is_named
        self._nodes = nodes
        self._budget = budget
        self._members: dict[str, ResultLocation] = {}
        self._elements: ResultLocation | None = None

    def member(self, name: str) -> "ResultLocation":
        """The place of the member `name`; `is_named` where the catalog names it."""
        location = self._members.get(name)
        if location is None:
            exact = [node.by_step[name] for node in self._nodes if name in node.by_step]
            each = [node.each_member for node in self._nodes if node.each_member is not None]
            cut = name[:_NAME_CHARS_MAX]
            step = f".{cut}" if name.isidentifier() else f"['{cut}']"
            location = self._below(step, (*exact, *each), is_named=bool(exact))
            if self._budget[0] > 0 and len(name) <= KEPT_NAME_CHARS_MAX:
                self._budget[0] -= 1
                self._members[name] = location
        return location

    def elements(self, count: int) -> list["ResultLocation"]:
        """The places of the first `count` elements."""
        each = [node.each_element for node in self._nodes if node.each_element is not None]
        if self._elements is None:
            self._elements = self._below("[*]", tuple(each), is_named=True)
        locations = [self._elements] * count
        for number in {step for node in self._nodes for step in node.by_step if isinstance(step, int) and step < count}:
            exact = [node.by_step[number] for node in self._nodes if number in node.by_step]
            locations[number] = self._below("[*]", (*exact, *each), is_named=True)
        return locations

    def _below(self, step: str, nodes: tuple[_Node, ...], *, is_named: bool) -> "ResultLocation":
        pattern = (self.pattern + step)[:_PATTERN_CHARS_MAX]
        return ResultLocation(pattern, nodes, self.part, self.depth + 1, is_named=is_named, budget=self._budget)


_ROOTS: Final[dict[int, tuple[tuple[Part, ...], ResultLocation]]] = {}


def root_of(parts: tuple[Part, ...]) -> ResultLocation:
    """The place of the whole of a result with these parts."""
    cached = _ROOTS.get(id(parts))
    if cached is not None and cached[0] is parts:
        return cached[1]
    if len(_ROOTS) >= _ROOTS_MAX:
        _ROOTS.clear()
    root = ResultLocation(WHOLE, (_grown(parts),), None, 0, is_named=True, budget=[PLACES_MAX])
    _ROOTS[id(parts)] = parts, root
    return root


def _grown(parts: tuple[Part, ...]) -> _Node:
    root = _Node()
    for part in parts:
        node = root
        for step, of_list in zip(steps(part.path) or (), elements(part.path), strict=False):
            if step is None and of_list:
                node.each_element = node = node.each_element or _Node()
            elif step is None:
                node.each_member = node = node.each_member or _Node()
            else:
                node = node.by_step.setdefault(step, _Node())
        node.part = part
    return root
