"""Where a value stands in another, as a JSON Pointer (RFC 6901): no two places of one document are written alike."""

from collections.abc import Iterable


def below(at: str, step: str | int) -> str:
    """The place of the member, or of the element, `step` of what stands at `at`."""
    return f"{at}/{str(step).replace('~', '~0').replace('/', '~1')}"


def pointer(path: Iterable[str | int]) -> str:
    """The place that `path` leads to."""
    at = ""
    for step in path:
        at = below(at, step)
    return at


def name_at(at: str) -> str:
    """The place of the name itself of the member at `at`; nothing stands there, since no pointer ends in a bare `~`."""
    return f"{at}~"


def is_name(at: str) -> bool:
    """Whether `at` is the place of a name."""
    return at.endswith("~")


def steps(at: str) -> list[str]:
    """The steps that lead to `at`; an element's is its number."""
    return [step.replace("~1", "/").replace("~0", "~") for step in at.split("/")[1:]]
