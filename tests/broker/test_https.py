"""A server with https: its certificate, and no other, is trusted."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from jupyter_oauthconn.broker.http import HttpBroker
from jupyter_oauthconn.broker.running import ServiceFile
from jupyter_oauthconn.errors import ServiceUnreachableError

from ..jupyter import jupyter_server
from .scripted import Scripted, answer

EMPTY = answer({"items": [], "next": None})
NOW = datetime.now(UTC)


@dataclass
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()

    def server(self, folder: Path, *chain: Made) -> ssl.SSLContext:
        """What a server shows that has this certificate, and those above it."""
        file = folder / f"{self.certificate.serial_number}.pem"
        file.write_text(self.pem + "".join(one.pem for one in chain) + self.key_pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def make(name: str, issuer: Made | None = None, *, ca: bool = False, days: int = 1) -> Made:
    """A certificate; without an issuer it vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    above = issuer.certificate.subject if issuer else subject
    builder = x509.CertificateBuilder(
        issuer_name=above,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=NOW - timedelta(days=9),
        not_valid_after=NOW + timedelta(days=days),
    ).add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return Made(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


CA = make("authority", ca=True)
OWN = make("jupyter.example.com")
ISSUED = make("jupyter.example.com", CA)
OF_SOMEBODY_ELSE = make("jupyter.example.com", CA)
EXPIRED = make("jupyter.example.com", days=-1)


@pytest.fixture
def ask(tmp_path: Path) -> Callable[..., list[str]]:
    """Asks a server that shows `shown`; returns what it was asked, if it is trusted."""

    def ask(shown: ssl.SSLContext, trusted: str | None) -> list[str]:
        with Scripted(EMPTY, tls=shown) as server:
            broker = HttpBroker(lambda: server.file(certificate=trusted))
            try:
                broker.connections()
                broker.connections()
            finally:
                broker.close()
            assert server.connections == 1
            return server.asked

    return ask


Asking = Callable[[ssl.SSLContext, str | None], list[str]]


def test_a_certificate_that_vouches_for_itself(ask: Asking, tmp_path: Path) -> None:
    assert len(ask(OWN.server(tmp_path), OWN.pem)) == 2
    # as `openssl req -x509` makes them
    authority = make("localhost", ca=True)
    assert len(ask(authority.server(tmp_path), authority.pem)) == 2


def test_a_certificate_of_an_authority(ask: Asking, tmp_path: Path) -> None:
    """It is trusted itself: neither the authority nor any of the system's is."""
    shown = ISSUED.server(tmp_path, CA)
    assert len(ask(shown, ISSUED.pem)) == 2
    assert len(ask(shown, ISSUED.pem + CA.pem)) == 2


@pytest.mark.parametrize(
    ("shown", "trusted"),
    [
        (OWN, ISSUED.pem),
        # whoever has the same authority has not the same certificate
        (OF_SOMEBODY_ELSE, ISSUED.pem + CA.pem),
        (CA, ISSUED.pem + CA.pem),
        (EXPIRED, EXPIRED.pem),
        (OWN, None),
        (OWN, ""),
        (OWN, "no certificate"),
        (OWN, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
    ],
)
def test_any_other_is_refused_before_the_credential_is_sent(
    ask: Asking, tmp_path: Path, shown: Made, trusted: str | None
) -> None:
    with pytest.raises(ServiceUnreachableError, match="certificate") as caught:
        ask(shown.server(tmp_path, CA), trusted)
    assert caught.value.hint


def test_what_answers_without_https_is_refused() -> None:
    with Scripted(EMPTY) as server:
        url = server.url.replace("http:", "https:")
        broker = HttpBroker(lambda: server.file(url=url, certificate=OWN.pem))
        # the server would wait for the rest of what it takes for a request
        hanging_up = threading.Thread(target=server.hang_up_who_comes)
        hanging_up.start()
        with pytest.raises(ServiceUnreachableError):
            broker.connections()
        hanging_up.join()
        assert server.heads == []


def test_a_jupyter_server_with_https(tmp_path: Path) -> None:
    file = tmp_path / "server.pem"
    file.write_text(OWN.pem + OWN.key_pem)
    config = {"ServerApp": {"certfile": str(file)}}
    with jupyter_server(tmp_path / "jupyter", config=config, scheme="https") as server:
        broker = HttpBroker(lambda: ServiceFile.read(server.service_file))
        assert broker.clients() == []
        broker.close()
