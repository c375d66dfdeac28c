"""Remove what make made: `.venv`, `build`, `dist` and every cache of this folder. Sources stay."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MADE = (".venv", "build", "dist", ".hypothesis", ".pytest_cache", ".ruff_cache", ".import_linter_cache")
SOURCES = ("src", "tests", "bench", "proof", "tools")

for made in MADE:
    shutil.rmtree(ROOT / made, ignore_errors=True)
for source in SOURCES:
    for cache in (ROOT / source).rglob("__pycache__"):
        shutil.rmtree(cache, ignore_errors=True)
