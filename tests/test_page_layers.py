"""The layers of the pages: the library knows no page, and no page knows another."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent / "pages"

LAYERS: list[set[str]] = [
    {"lib/signaling"},
    {"lib/media"},
    {"lib/page"},
    {"lib/stats", "lib/check", "lib/words"},
]
"""The folders of the library: a module imports from its own folder and from those further left."""

IMPORTED = re.compile(r"""\b(?:from|import)\s*\(?\s*["'](?P<name>[^"']+)["']""")
"""Static, dynamic, and in a comment for a type."""
NAMED = re.compile(r"""["'`](?P<name>(?:\.{1,2}/|/pages/)[\w./-]+\.js)""")
"""The path of a module anywhere, such as in a template whose end is computed."""


def modules() -> list[str]:
    """Every module, by its path from the folder of the pages."""
    return sorted(path.relative_to(PAGES).as_posix() for path in PAGES.rglob("*.js"))


def names(text: str) -> set[str]:
    """What a module's text imports, as it is written there."""
    return {match["name"] for pattern in (IMPORTED, NAMED) for match in pattern.finditer(text)}


def imports(module: str) -> set[str]:
    """The modules that a module imports, for their code or for their types only."""
    return {resolved(module, name) for name in names((PAGES / module).read_text())}


def resolved(module: str, name: str) -> str:
    """The path of an imported module, from the folder of the pages."""
    if name.startswith("/pages/"):
        return name.removeprefix("/pages/")
    assert name.startswith("."), f"{module} imports {name}, which browsers do not find"
    return (PAGES / module).parent.joinpath(name).resolve().relative_to(PAGES).as_posix()


def folder(module: str) -> str:
    """Where a module belongs: to a folder of the library, such as lib/media, or to a page."""
    parts = module.split("/")
    return "/".join(parts[:2]) if parts[0] == "lib" else parts[0]


def layer(module: str) -> int:
    """The place of a library module's folder in the order."""
    found = [index for index, folders in enumerate(LAYERS) if folder(module) in folders]
    assert found, f"{folder(module)} stands in no layer"
    return found[0]


@pytest.mark.parametrize("module", [m for m in modules() if m.startswith("lib/")])
def test_a_library_module_imports_only_what_stands_left_of_it(module: str) -> None:
    """The library imports no page, and none of its folders looks up or sideways."""
    outside = {name for name in imports(module) if folder(name) != folder(module)}
    pages = {name for name in outside if not name.startswith("lib/")}
    assert not pages
    assert not {name for name in outside if layer(name) >= layer(module)}


@pytest.mark.parametrize("module", [m for m in modules() if not m.startswith("lib/")])
def test_no_page_imports_another_page(module: str) -> None:
    """What two pages share stands in the library."""
    pages = {folder(name) for name in imports(module) if not name.startswith("lib/")}
    assert pages <= {folder(module)}


@pytest.mark.parametrize("page", sorted(PAGES.glob("*/*.html")), ids=lambda path: path.stem)
def test_a_page_loads_its_own_files_and_the_library(page: Path) -> None:
    """Its HTML names modules and style sheets that exist, and none of another page."""
    files = set(re.findall(r'(?:src|href)="/pages/([^"]+)"', page.read_text()))
    assert {name.split("/")[0] for name in files} <= {"lib", page.parent.name}
    assert not {name for name in files if not (PAGES / name).is_file()}


@pytest.mark.parametrize("module", modules())
def test_every_import_names_a_module(module: str) -> None:
    """A type that is imported from a file which is gone would be `any`."""
    assert not imports(module) - set(modules())


def test_no_module_imports_itself_by_a_circle() -> None:
    """Whoever reads a module can read what it imports first, types included."""
    graph = {module: imports(module) for module in modules()}
    TopologicalSorter(graph).prepare()  # Raises CycleError, which names the circle.


@pytest.mark.parametrize(
    "text",
    [
        'import { a } from "../lib/x.js";',
        'import {\n  a,\n  b,\n} from "../lib/x.js";',
        'import "../lib/x.js";',
        'export { a } from "../lib/x.js";',
        'const { a } = await import("../lib/x.js");',
        "await import(\n  '../lib/x.js',\n);",
        '/** @typedef {import("../lib/x.js").A} A */',
        "const name = `../lib/x.js${query}`;",
        'new Worker("../lib/x.js");',
    ],
)
def test_every_kind_of_import_is_read(text: str) -> None:
    """The other tests of this file would pass by what they do not see."""
    assert names(text) == {"../lib/x.js"}
