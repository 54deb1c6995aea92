"""The trust page: how to make a phone trust this host's own CA, and the files for it.

Serves `/trust`, the certificate for Android and the configuration profile for iOS. They are also
served over plain HTTP, because the certificate is not trusted yet.
"""

import functools
import plistlib
import re
from collections.abc import Callable
from uuid import NAMESPACE_URL, uuid5

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from tornado.routing import Rule
from tornado.template import Template
from tornado.web import url

from signaling.host import tls
from signaling.web import pages
from signaling.web.content import Content, ContentHandler
from signaling.web.files import Files, Tree
from signaling.web.headers import WITHOUT_SCRIPTS

STYLES = ("lib/page/theme.css", "trust/trust.css")
"""The style sheets of the trust page, in the folder of all pages."""


def routes(ca_pem: Callable[[], bytes], files: Files) -> list[Rule]:
    """Return the routing rules of the trust page and of what it needs.

    They include its style sheets, because the plain HTTP port serves nothing else.

    Parameters
    ----------
    ca_pem: gives the CA's certificate. It may be another one from now on.
    files: those of all pages.
    """
    return [
        _file("/trust", lambda: _page(files.newest(), ca_pem())),
        _file("/trust/lenscast-ca.crt", lambda: _certificate(ca_pem())),
        _file("/trust/lenscast.mobileconfig", lambda: _profile(ca_pem())),
        pages.loaded(files, "|".join(map(re.escape, STYLES))),
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


class FileHandler(ContentHandler):
    """The page, or one of the files that it offers."""

    def initialize(self, content: Callable[[], Content]) -> None:
        """Tornado's constructor: a function that returns what to send."""
        self._content = content

    def set_default_headers(self) -> None:
        """A stricter policy than on other pages, also for errors."""
        self.set_header("Content-Security-Policy", WITHOUT_SCRIPTS)

    def get(self) -> None:
        """The content."""
        self.send(self._content())

    head = get


def _file(path: str, content: Callable[[], Content]) -> Rule:
    return url(path, FileHandler, {"content": content})


@functools.lru_cache(maxsize=2)
def _page(tree: Tree, ca_pem: bytes) -> Content:
    ca = x509.load_pem_x509_certificate(ca_pem)
    template = Template(tree.html["trust/trust.html"])
    page = template.generate(name=_name(ca), fingerprint=tls.fingerprint(ca_pem))
    return Content.of(page, "text/html; charset=utf-8")


@functools.lru_cache(maxsize=2)
def _certificate(ca_pem: bytes) -> Content:
    der = x509.load_pem_x509_certificate(ca_pem).public_bytes(Encoding.DER)
    return Content.of(der, "application/x-x509-ca-cert")


@functools.lru_cache(maxsize=2)
def _profile(ca_pem: bytes) -> Content:
    return Content.of(profile(ca_pem), "application/x-apple-aspen-config")


def _identity(part: str, fingerprint: str) -> dict[str, str]:
    identifier = str(uuid5(NAMESPACE_URL, f"lenscast:{part}:{fingerprint}")).upper()
    return {"PayloadIdentifier": f"lenscast.{part}.{identifier}", "PayloadUUID": identifier}


def _name(ca: x509.Certificate) -> str:
    names = ca.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else "Lenscast local CA"
