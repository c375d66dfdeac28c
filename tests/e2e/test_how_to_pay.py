"""`docs/how-to/let-an-agent-pay-small-amounts.md`, run as it stands before a server that pays."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from proof.counting import until_listens
from proof.service import Service, environment, free_port
from tests.e2e.pages import PAGES_FOLDER, command_of, run_block
from tests.e2e.speaking import told
from tests.eventually import WITHIN_S

PAYER: Final = Path(__file__).parents[1] / "upstreams" / "payer.py"
WORLD: Final = PAYER.with_name("payer.yaml").read_text("utf-8")
GROUPS: Final = PAYER.with_name("payer_groups.yaml").read_text("utf-8")
BLOCK: Final = re.compile(
    r"^```(?:console|(?:cedar|yaml) (?P<file>[\w./]+))\n(?P<text>.*?)^```", re.MULTILINE | re.DOTALL
)


def written(service: Service, file: str, text: str) -> None:
    """Write a block of the page; one of Cedar stands for the policy of its name."""
    path = service.workspace / file
    if file.endswith(".cedar"):
        ident = re.search(r'@id\("[^"]+"\)', text)
        assert ident is not None
        text, count = re.subn(re.escape(ident[0]) + r".*?;\n", lambda _: text, path.read_text("utf-8"), flags=re.DOTALL)
        assert count == 1
    path.write_text(text, "utf-8")


@pytest.mark.timeout(180)
def test_small_amounts_are_paid_alone_as_the_page_says(tmp_path: Path) -> None:
    port, service = free_port(), Service(tmp_path, name="paying")
    payer = subprocess.Popen(
        [sys.executable, PAYER, str(port), tmp_path, "0"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment(),
    )  # fmt: skip
    try:
        until_listens(payer, port, "the payer")
        service.write({"payer.yaml": WORLD.replace("8902", str(port)), "payer_groups.yaml": GROUPS})
        service.start()
        service.accept("payer")
        (service.workspace / "payer_groups.yaml").unlink()
        text = (PAGES_FOLDER / "let-an-agent-pay-small-amounts.md").read_text("utf-8")
        ran, command = 0, command_of(service)
        for block in BLOCK.finditer(text):
            if block["file"]:
                written(service, block["file"], block["text"])
            else:
                there = block["text"].replace(" paying", f" {tmp_path / 'paying'}")
                ran += len(run_block(there, command))
        assert ran == len(re.findall(r"^\$ ", text, re.MULTILINE)) >= 8
        # And so it is for real: one small payment after the other, and none that is larger.
        agent = service.agent("clerk", "ana")
        for amount in (100, 40):
            failed, said = told(service, agent, "payer", "pay", {"id": "b", "amount": amount})
            assert (failed, f"paid {amount}" in said) == (False, True), said
        above = service.remit("can", "clerk", "payer/pay", '{"id": "b", "amount": 101}', "--user", "ana").stdout
        assert above.startswith("escalate"), above
    finally:
        service.stop()
        payer.kill()
        payer.wait(WITHIN_S)
