"""A receiver of webhooks that keeps their ids: `python receiver.py PORT FOLDER`, the secret in `WEBHOOK_SECRET`.

It verifies by the official library, acts once for each id (a row of `FOLDER/acts.db`), and does as files there say:
`die-before` ends it before it acts, `die-after` once it has acted and before it answers, `down` has it answer 503.
"""

import json
import os
import sqlite3
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

PORT, FOLDER = int(sys.argv[1]), Path(sys.argv[2])
VERIFIES = Webhook(os.environ["WEBHOOK_SECRET"])


def acted(ident: str, body: bytes) -> None:
    """Act on `ident` unless that was done; on disk when it returns."""
    kept = sqlite3.connect(FOLDER / "acts.db")
    kept.execute("PRAGMA synchronous = FULL")
    kept.execute("CREATE TABLE IF NOT EXISTS act (ident TEXT PRIMARY KEY, body TEXT)")
    kept.execute("CREATE TABLE IF NOT EXISTS came (ident TEXT)")
    with kept:
        kept.execute("INSERT INTO came VALUES (?)", (ident,))
        kept.execute("INSERT OR IGNORE INTO act VALUES (?, ?)", (ident, body.decode()))
    kept.close()


def dies(when: str) -> None:
    file = FOLDER / when
    if file.exists():
        file.unlink()
        os._exit(9)


class Receiver(BaseHTTPRequestHandler):
    """Takes one kind of request."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        dies("die-before")
        if (FOLDER / "down").exists():
            self.answer(503)
            return
        try:
            VERIFIES.verify(body, dict(self.headers))
            json.loads(body)
        except (WebhookVerificationError, ValueError):
            self.answer(401)
            return
        acted(self.headers["webhook-id"], body)
        dies("die-after")
        self.answer(204)

    def answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


ThreadingHTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
