"""Check that a record is in a Remit ledger, offline: python3 verify_proof.py PROOF VKEY [ID:HASH].

PROOF is a file that `remit ledger prove` wrote (https://c2sp.org/tlog-proof), VKEY the key that signs for the ledger
(NAME+ID+BASE64, or a file with it), got from elsewhere than the proof. Needs Python alone; reads these two files only.
Exit code 0: all holds; 1: it does not; 2: nothing was checked. Ed25519 is RFC 8032's: right, not fast; only verifies.
"""

import base64
import hashlib
import json
import sys
import time

sha256 = lambda data: hashlib.sha256(data).digest()  # noqa: E731
P, Q = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
BASE = (4 * pow(5, P - 2, P) % P).to_bytes(32, "little")


def need(holds, otherwise):
    return holds or sys.exit(f"WRONG: {otherwise}")


def add(a, b):
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    c, d = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, d - c, d + c, t + s
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, point):
    total = (0, 1, 1, 0)
    while scalar:
        total = add(total, point) if scalar & 1 else total
        point, scalar = add(point, point), scalar >> 1
    return total


def point(data):
    y, sign = int.from_bytes(data, "little") & (2**255 - 1), data[31] >> 7
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    x = x if x * x % P == x2 else x * pow(2, (P - 1) // 4, P) % P
    need(len(data) == 32 and y < P and x * x % P == x2 and (x or not sign), "a key or signature is no point")
    return (x := x if x & 1 == sign else P - x), y, 1, x * y % P


def signed(key, text, signature):
    s = int.from_bytes(signature[32:], "little")
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % Q
    a, b = times(s, point(BASE)), add(point(signature[:32]), times(h, point(key)))
    return len(signature) == 64 and s < Q and all((a[i] * b[2] - b[i] * a[2]) % P == 0 for i in (0, 1))


def root(leaf, index, size, path):  # RFC 9162, section 2.1.3.2
    last = size - 1
    for sibling in path:
        need(last, "the path is too long")
        if index & 1 or index == last:
            leaf = sha256(b"\1" + sibling + leaf)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            leaf = sha256(b"\1" + leaf + sibling)
        index, last = index >> 1, last >> 1
    return leaf if last == 0 else b""


def main(proof, vkey, receipt=None):
    name, ident, encoded = (vkey if "+" in vkey else open(vkey).read()).strip().split("+", 2)
    key, text = base64.b64decode(encoded)[1:], open(proof, encoding="utf-8", newline="").read()
    need(sha256(name.encode() + b"\n\1" + key)[:4].hex() == ident, "the key is not that of its id")
    head, note, signatures = text.split("\n\n")
    first, extra, index, *path = head.split("\n")
    need(first + extra[:6] + index[:6] == "c2sp.org/tlog-proof@v1extra index ", "it is no proof of a record")
    ours = [base64.b64decode(one[2]) for one in map(str.split, signatures.splitlines()) if one[:2] == ["\u2014", name]]
    ours = [one[4:] for one in ours if one[:4].hex() == ident]
    need(ours and all(signed(key, (note + "\n").encode(), one) for one in ours), "that key did not sign the checkpoint")
    origin, size, root_hash = note.split("\n")[:3]
    number, count = (int(one) if one.isascii() and one.isdigit() else -1 for one in (index[6:], size))
    record = (shown := json.loads(base64.b64decode(extra[6:])))["record"].encode()
    found = 0 <= number < count and root(sha256(b"\0" + record), number, count, [base64.b64decode(one) for one in path])
    need(found == base64.b64decode(root_hash), "the record is not under the signed root")
    chain, seq, _, kind, at, *_, commitment = json.loads(record)
    need(receipt in (None, f"{chain}.{seq}:{sha256(record).hex()}"), "it is another record than that of the receipt")
    when = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at // 1000))}.{at % 1000:03}Z"
    print(f"holds: {chain}.{seq}, {kind}, at {when}, is record {number + 1} of {count} of {origin}")
    if "body" in shown:
        salt, body = bytes.fromhex(shown["salt"]), shown["body"].encode()
        need(len(salt) == 16 and sha256(salt + body).hex() == commitment, "the record commits to another body")
        print(shown["body"].encode("unicode_escape").decode())  # what an agent wrote is no text for a terminal


if __name__ == "__main__":
    try:
        main(*(sys.argv[1:] if len(sys.argv) in (3, 4) else ("", "")))
    except OSError as error:
        sys.exit(print(f"{error}\n" * (len(sys.argv) in (3, 4)) + __doc__, file=sys.stderr) or 2)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        need(None, f"{type(error).__name__}: {error}")
