"""A front that speaks TLS and hands each connection on, as a reverse proxy before Remit does."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


class Front:
    """Listens on loopback with a certificate of its own, `folder/tls.crt`, once `forward` says where to."""

    def __init__(self, folder: Path) -> None:
        certificate, key = _certificate()
        (folder / "tls.crt").write_bytes(certificate)
        (folder / "tls.key").write_bytes(key)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(folder / "tls.crt", folder / "tls.key")
        self.trusted = ssl.create_default_context(cafile=str(folder / "tls.crt"))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.base = f"https://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # A thread may be waiting in accept: only shutting down wakes it.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def forward(self, port: int) -> None:
        """Hand connections on to `port` of loopback."""
        threading.Thread(target=self._serve, args=(port,), daemon=True).start()

    def _serve(self, port: int) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._hand_on, args=(accepted, port), daemon=True).start()

    def _hand_on(self, accepted: socket.socket, port: int) -> None:
        """One request and its answer; the client asks for the connection to close after it."""
        accepted.settimeout(10)
        with (
            suppress(OSError),
            self._context.wrap_socket(accepted, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", port)) as inner,
        ):
            inner.settimeout(10)
            head = b""
            while b"\r\n\r\n" not in head:
                if not (data := outer.recv(65536)):
                    return
                head += data
            inner.sendall(head)
            while data := inner.recv(65536):
                outer.sendall(data)


def _certificate() -> tuple[bytes, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "front of a test")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return made.public_bytes(serialization.Encoding.PEM), encoded
