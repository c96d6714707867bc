"""The outbound fetcher over TLS: the connection goes to a number, the certificate is the name's."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from digest.sources.fetching import Fetcher, FetchFailed
from digest.sources.wire import Patience
from tests.digest.small_web import Names, Web, serving

SHORT = Patience(connect=0.4, read=0.4, total=0.8)


@dataclass
class Authority:
    """A certificate authority of our own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority for tests")])
        self.certificate = self._sign(self.name, self.key, x509.BasicConstraints(ca=True, path_length=None))

    def trusted(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self._pem(self.certificate).decode())

    def server(self, *names: x509.GeneralName) -> ssl.SSLContext:
        """The server's side, with a certificate for these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a server")])
        certificate = self._sign(subject, key, x509.SubjectAlternativeName(names))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        chain = self.folder / "server.pem"
        chain.write_bytes(private + self._pem(certificate))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        return context

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder(issuer_name=self.name, subject_name=subject, public_key=key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
            .sign(self.key, hashes.SHA256())
        )

    @staticmethod
    def _pem(certificate: x509.Certificate) -> bytes:
        return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def _pages_example(web: Web, host: str = "pages.example") -> tuple[str, frozenset[str], Names]:
    place = f"{host}:{web.port}"
    return f"https://{place}/", frozenset({place}), Names({host: ["127.0.0.1"]})


def test_the_certificate_is_checked_against_the_name_not_the_pinned_address(authority: Authority) -> None:
    """The connection goes to a number; name indication and certificate are those of the address asked for."""
    indicated: list[str | None] = []
    context = authority.server(x509.DNSName("pages.example"))
    context.sni_callback = lambda _socket, name, _context: indicated.append(name)
    with serving(context) as web:
        web.page("/", "hello")
        url, allow, names = _pages_example(web)
        with Fetcher(allow, resolve=names, tls=authority.trusted()) as fetcher:
            assert fetcher.get(url).body == b"hello"

    assert indicated == ["pages.example"]


def test_a_certificate_for_another_name_is_refused(authority: Authority) -> None:
    """Also when it is a good one for the very address we connect to."""
    context = authority.server(x509.DNSName("other.example"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    with serving(context) as web:
        url, allow, names = _pages_example(web)
        with (
            Fetcher(allow, resolve=names, tls=authority.trusted()) as fetcher,
            pytest.raises(FetchFailed, match=r"could not prove that it is pages\.example \(Hostname mismatch"),
        ):
            fetcher.get(url)

    assert web.seen == []


def test_a_certificate_nobody_vouches_for_is_refused(authority: Authority) -> None:
    """Without being told otherwise we trust the system's authorities only."""
    with serving(authority.server(x509.DNSName("pages.example"))) as web:
        url, allow, names = _pages_example(web)
        with Fetcher(allow, resolve=names) as fetcher, pytest.raises(FetchFailed, match="could not prove"):
            fetcher.get(url)

    assert web.seen == []


def test_a_certificate_may_be_for_an_ip_address(authority: Authority) -> None:
    """An address by number is proved by number."""
    context = authority.server(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    with serving(context) as web:
        web.page("/", "hello")
        with Fetcher(frozenset({web.place}), tls=authority.trusted()) as fetcher:
            assert fetcher.get(f"https://{web.place}/").body == b"hello"


def test_the_clock_runs_under_tls_too(authority: Authority) -> None:
    """A byte now and then, encrypted."""
    with serving(authority.server(x509.DNSName("pages.example"))) as web:
        web.raw("/", b"HTTP/1.1 200 OK\r\n\r\n", again=b"x", pause=0.1)
        url, allow, names = _pages_example(web)
        with (
            Fetcher(allow, resolve=names, tls=authority.trusted(), patience=SHORT) as fetcher,
            pytest.raises(FetchFailed, match=r"longer than 0\.8 seconds"),
        ):
            fetcher.get(url)


def test_a_handshake_that_never_ends_does_not_keep_us() -> None:
    """A machine that takes the connection and never says a word of TLS."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        place = f"127.0.0.1:{mute.getsockname()[1]}"
        with Fetcher(frozenset({place}), patience=SHORT) as fetcher, pytest.raises(FetchFailed, match="said nothing"):
            fetcher.get(f"https://{place}/")
