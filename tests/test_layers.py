"""The architecture: each module imports only what stands left of it in the list of layers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

LAYERS: list[set[str]] = [
    {"turn.credentials", "turn.limits", "turn.quiet", "turn.stun", "turn.tasks"},
    {"turn.servers", "turn.coturn", "turn.access", "turn.allocations", "turn.amplification"},
    {"turn.fields"},
    {"turn.requests"},
    {"turn.relay"},
    {"turn.udp", "turn.tcp"},
    {"turn.embedded", "turn.checks"},
    {"signaling.setup_error", "signaling.metrics", "signaling.log_lines", "signaling.audit"},
    {
        "signaling.host.addresses",
        "signaling.host.loopback",
        "signaling.host.audit_file",
        "signaling.host.qr",
        "signaling.host.usb",
    },
    {"signaling.host.state_folder"},
    {"signaling.host.pem"},
    {"signaling.host.authority"},
    {"signaling.host.tls", "signaling.host.journal", "signaling.host.control_socket"},
    {"signaling.config"},
    {"signaling.turn_mode"},
    {"signaling.room.refusal", "signaling.room.names", "signaling.room.departures"},
    {"signaling.room.terms"},
    {"signaling.room.links"},
    {"signaling.room.fields", "signaling.room.room_type"},
    {"signaling.room.messages"},
    {"signaling.room.deliveries", "signaling.room.history", "signaling.room.seals"},
    {"signaling.room.documents"},
    {"signaling.room.room"},
    {"signaling.room.changes", "signaling.room.conversation", "signaling.room.door"},
    {"signaling.room.welcome"},
    {"signaling.room.rooms"},
    {
        "signaling.transport.outbox",
        "signaling.transport.guard",
        "signaling.transport.direct_stream",
    },
    {"signaling.transport.connection", "signaling.transport.framing"},
    {"signaling.transport.away"},
    {"signaling.transport.post"},
    {"signaling.transport.hub"},
    {
        "signaling.transport.websocket",
        "signaling.transport.events",
        "signaling.transport.local",
    },
    {"signaling.room_types.camera"},
    {"signaling.link_maker"},
    {
        "signaling.web.headers",
        "signaling.web.hosts",
        "signaling.web.port",
        "signaling.web.content",
        "signaling.web.pace",
    },
    {
        "signaling.web.cross_site",
        "signaling.web.files",
        "signaling.web.open_streams",
        "signaling.web.opening",
        "signaling.web.reports",
        "signaling.web.api",
    },
    {"signaling.web.entrance", "signaling.web.pages"},
    {"signaling.web.trust"},
    {"signaling.web.routes"},
    {"signaling.server"},
    {"signaling.doctor.findings", "signaling.doctor.visit"},
    {"signaling.doctor.own_host"},
    {
        "signaling.doctor.ports",
        "signaling.doctor.relays",
        "signaling.doctor.certificates",
        "signaling.doctor.network",
    },
    {"signaling.doctor.diagnosis", "signaling.doctor.at_start"},
    {"signaling.doctor"},
    {"signaling.operations"},
    {"signaling.serve"},
    {"signaling.__main__"},
    {
        "lenscast.peers.transport",
        "lenscast.peers.websocket",
        "lenscast.peers.roster",
        "lenscast.peers.memory",
        "lenscast.peers.arrival",
    },
    {
        "lenscast.peers.signaling",
        "lenscast.peers.picture",
        "lenscast.peers.tasks",
        "lenscast.peers.encoder",
        "lenscast.peers.prompt_buffer",
        "lenscast.peers.ice",
        "lenscast.peers.frame_size",
        "lenscast.peers.description",
    },
    {"lenscast.peers.connection"},
    {"lenscast.peers.session", "lenscast.peers.feed"},
    {"lenscast.peers.negotiation"},
    {"lenscast.peers.member"},
    {"lenscast.peers.sender", "lenscast.peers.receiver", "lenscast.peers.participant"},
    {"lenscast.peers"},
    {"lenscast.commands.running", "lenscast.commands.tables"},
    {
        "lenscast.frames.frame",
        "lenscast.frames.loop_thread",
        "lenscast.frames.recording",
        "lenscast.frames.room",
    },
    {"lenscast.frames.camera"},
    {"lenscast.frames.blocking", "lenscast.frames.recorder"},
    {"lenscast.frames.video_capture"},
    {"lenscast.commands.links", "lenscast.commands.put_out", "lenscast.commands.rotate"},
    {"lenscast.commands.record"},
    {"lenscast.cli"},
    {"lenscast.__main__"},
    {"lenscast"},
]
PACKAGES = {"turn", "signaling", "lenscast"}
FOLDERS = (
    (PACKAGES - {"lenscast"})
    | {"lenscast.commands", "lenscast.frames"}
    | {f"signaling.{name}" for name in ("host", "room", "room_types", "transport", "web")}
)
"""Folders whose __init__.py holds nothing but a sentence."""


def modules() -> list[str]:
    paths = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    names = (".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths)
    return sorted(name.removesuffix(".__init__") for name in names)


def layer(module: str) -> int:
    found = [index for index, names in enumerate(LAYERS) if module in names]
    assert found, f"{module} stands in no layer"
    return found[0]


def imports(module: str) -> set[str]:
    """The project's own modules that a module imports, anywhere in it."""
    path = ROOT / Path(*module.split("."))
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    found = set()
    known = set(modules())
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in known else str(node.module) for name in inner]
        else:
            continue
        found |= {name for name in names if name.split(".")[0] in PACKAGES}
    return found - FOLDERS


@pytest.mark.parametrize("module", [m for m in modules() if m not in FOLDERS])
def test_a_module_imports_only_what_stands_left_of_it(module: str) -> None:
    """No layer looks up, and none looks sideways."""
    upward = {name for name in imports(module) if layer(name) >= layer(module)}
    assert not upward


def test_serving_imports_no_media_library() -> None:
    """`python -m signaling` and `lenscast` serve with neither aiortc nor av imported, and so does
    a program that imports `lenscast` before it needs anything of it."""
    code = (
        "import sys, signaling.serve, lenscast.cli; lenscast.cli._parser(); dir(lenscast); "
        "print({'aiortc', 'av', 'numpy'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
