"""More waits for people than a page lists: what they are shown of it, on the page and by the command."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from proof.counting import Counting
from remit.api.page.app import LISTED_MAX
from remit.app.cli.approvals import READABLE_MAX
from tests.e2e.speaking import told
from tests.e2e.test_page import asked, visitor

SCOUT = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: scout}
spec: {owner: platform, purpose: counts more, groups: [clerks]}
"""


def test_what_ends_first_is_listed_first_and_no_list_is_cut_in_silence(tmp_path: Path) -> None:
    with Counting(tmp_path, hold_s=0) as counting:
        service = counting.service
        service.write({"scout.yaml": SCOUT})
        service.apply()
        first, _ = asked(counting, "first")
        tokens = [service.agent(name, "ana") for name in ("clerk", "scout") for _ in range(3)]

        def ask(number: int) -> None:
            failed, text = told(service, tokens[number % 6], "counter", "add", {"id": f"crowd-{number}", "amount": 50})
            assert (failed, "/a/" in text) == (True, True), text

        with ThreadPoolExecutor(6) as crowd:
            list(crowd.map(ask, range(100)))
        page = visitor(counting).ask("GET", "/a/").text
        rows = re.findall(r'<li><a href="/a/([^"]+)">', page)
        sam = service.user("sam")
        waiting = service.told("approvals", "ls", token=sam)
        table = service.remit("approvals", "ls", token=sam)
        listed = table.stdout.splitlines()
        assert (rows[0], len(rows), len(waiting)) == (first, LISTED_MAX, 101)
        assert (waiting[0]["id"], listed[1].split()[0], len(listed)) == (first, first, 1 + READABLE_MAX)
        assert f"{101 - READABLE_MAX} more, which press less" in table.stderr
        assert f"{101 - LISTED_MAX} more, whose time ends later" in page
