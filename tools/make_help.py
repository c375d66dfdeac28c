"""Print the targets of the Makefile beside their `##` texts."""

import re
from pathlib import Path

MAKEFILE = Path(__file__).resolve().parent.parent / "Makefile"
TARGET = re.compile(r"^([a-z-]+):.*?## (.+)$", re.MULTILINE)

for name, text in TARGET.findall(MAKEFILE.read_text()):
    print(f"  make {name:<11} {text}")
