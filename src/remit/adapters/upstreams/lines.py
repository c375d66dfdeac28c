"""Newline framing of stdio with a bound that holds before anything is parsed. Pure."""

from typing import Final


class Lines:
    """Feed chunks as they come; a line above `line_bytes_max` is thrown away as it arrives."""

    def __init__(self, line_bytes_max: int) -> None:
        self._max: Final = line_bytes_max
        self._rest: list[bytes] = []
        self._held = 0
        self.skipped = 0
        """Bytes of the oversized line under way, 0 if there is none."""

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that `chunk` completes, without blank ones; None for one that was too long."""
        lines: list[bytes | None] = []
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._take(end)
            if self.skipped:
                lines.append(None)
            elif line := b"".join(self._rest).strip():
                lines.append(line)
            self._rest, self._held, self.skipped = [], 0, 0
        if rest:
            self._take(rest)
        return lines

    def _take(self, part: bytes) -> None:
        if self.skipped:
            self.skipped += len(part)
            return
        self._held += len(part)
        if self._held > self._max:
            self.skipped = self._held
            self._rest = []
        else:
            self._rest.append(part)
