"""The trust page: how to make a phone trust this host's own CA, and the files for it.

Serves `/trust`, the certificate for Android and the configuration profile for iOS. They are also
served over plain HTTP, because the certificate is not trusted yet.
"""

import functools
import plistlib
from collections.abc import Callable
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tornado.routing import Rule
from tornado.template import Template
from tornado.web import RequestHandler, StaticFileHandler, url

from signaling.host import tls

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page has no script. Over plain HTTP, somebody on the way could add one."""

STYLES = ("lib/page/theme.css", "trust/trust.css")
"""The style sheets of the trust page, in the folder of all pages."""


def routes(ca_pem: Callable[[], bytes], pages: Path) -> list[Rule]:
    """Return the routing rules of the trust page and of what it needs.

    They include its style sheets, because the plain HTTP port serves nothing else.

    Parameters
    ----------
    ca_pem: gives the CA's certificate. It may be another one from now on.
    pages: the folder of all pages.

    Raises OSError when the page cannot be read.
    """
    template = Template((pages / "trust" / "trust.html").read_bytes())

    @functools.lru_cache(maxsize=1)
    def page(pem: bytes) -> bytes:
        ca = x509.load_pem_x509_certificate(pem)
        return template.generate(name=_name(ca), fingerprint=tls.fingerprint(pem))

    return [
        _file("/trust", lambda: page(ca_pem()), "text/html; charset=utf-8"),
        _file("/trust/lenscast-ca.crt", lambda: _der(ca_pem()), "application/x-x509-ca-cert"),
        _file(
            "/trust/lenscast.mobileconfig",
            lambda: profile(ca_pem()),
            "application/x-apple-aspen-config",
        ),
        url(f"/pages/({'|'.join(STYLES)})", StaticFileHandler, {"path": str(pages)}),
    ]


def profile(ca_pem: bytes) -> bytes:
    """Return an iOS configuration profile that installs the CA.

    The same certificate gives the same profile, so installing it again replaces the first. The
    profile of another laptop is a separate one. The keys are those of Apple's Device Management
    reference, "TopLevel" and "CertificateRoot".

    Raises ValueError when `ca_pem` holds no certificate.
    """
    ca = x509.load_pem_x509_certificate(ca_pem)
    name, fingerprint = _name(ca), tls.fingerprint(ca_pem)
    root = {
        "PayloadType": "com.apple.security.root",
        "PayloadVersion": 1,
        **_identity("certificate", fingerprint),
        "PayloadDisplayName": name,
        "PayloadDescription": "The certificate of the CA on one laptop that runs Lenscast.",
        "PayloadCertificateFileName": "lenscast-ca.crt",
        "PayloadContent": ca.public_bytes(Encoding.DER),
    }
    return plistlib.dumps(
        {
            "PayloadType": "Configuration",
            "PayloadVersion": 1,
            **_identity("profile", fingerprint),
            "PayloadDisplayName": name,
            "PayloadDescription": "Lets this device open the camera page of one laptop without a "
            "certificate warning. Remove it when you no longer use Lenscast with that laptop.",
            "PayloadOrganization": "Lenscast",
            "PayloadRemovalDisallowed": False,
            "PayloadContent": [root],
        }
    )


class FileHandler(RequestHandler):
    """The page, or one of the files that it offers."""

    def initialize(self, content: Callable[[], bytes], content_type: str) -> None:
        """Tornado's constructor: a function that returns the body, and its type."""
        self._content = content
        self._content_type = content_type

    def set_default_headers(self) -> None:
        """A stricter policy than on other pages, also for errors."""
        self.set_header("Content-Security-Policy", POLICY)

    def get(self) -> None:
        """The body."""
        self.set_header("Content-Type", self._content_type)
        self.finish(self._content())

    def head(self) -> None:
        """The headers of `get`; Tornado leaves the body out."""
        self.get()


def _file(path: str, content: Callable[[], bytes], content_type: str) -> Rule:
    return url(path, FileHandler, {"content": content, "content_type": content_type})


def _der(ca_pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(ca_pem).public_bytes(Encoding.DER)


def _identity(part: str, fingerprint: str) -> dict[str, str]:
    identifier = str(uuid5(NAMESPACE_URL, f"lenscast:{part}:{fingerprint}")).upper()
    return {"PayloadIdentifier": f"lenscast.{part}.{identifier}", "PayloadUUID": identifier}


def _name(ca: x509.Certificate) -> str:
    names = ca.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else "Lenscast local CA"
