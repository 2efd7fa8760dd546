"""What docs/architecture.md draws and lists of the source tree; `python -m docs.architecture` writes it anew.

The drawings are made from the imports themselves, the lists from the first lines of the modules' docstrings.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import grimp

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "architecture.md"
PACKAGE = "stomp_tx"
DRAWN = ("stomp_tx", "stomp_tx.broker", "stomp_tx.engine", "stomp_tx.client")
PART = re.compile(r"(<!-- (\w+) ([\w.]+)[^>]*-->\n).*?(<!-- end -->)", re.DOTALL)

Arrows = dict[str, set[str]]
"""Who imports whom: importer to imported."""


def built() -> grimp.ImportGraph:
    return grimp.build_graph(PACKAGE, exclude_type_checking_imports=True, cache_dir=None)


def arrows_among(graph: grimp.ImportGraph, children: Iterable[str]) -> Arrows:
    """Which of these modules and packages imports which, in any of its files.  None is in another."""
    found: Arrows = {child: set() for child in children}
    owner = {module: child for child in found for module in {child, *graph.find_descendants(child)}}
    for module, importer in owner.items():
        imported = {owner.get(one, importer) for one in graph.find_modules_directly_imported_by(module)}
        found[importer] |= imported - {importer}
    return found


def reduced(arrows: Arrows) -> Arrows:
    """Without those that a longer way implies.  There must be no circle."""
    reached: Arrows = {}

    def reach(one: str) -> set[str]:
        if one not in reached:
            reached[one] = arrows[one].union(*map(reach, arrows[one]))
        return reached[one]

    return {one: others - set().union(*map(reach, others)) for one, others in arrows.items()}


def path_of(module: str) -> Path:
    path = ROOT / module.replace(".", "/")
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def written(module: str) -> str:
    """Its name in the source tree: a file, or a folder that ends with a slash."""
    path = path_of(module)
    shown = path.parent if path.name == "__init__.py" else path
    return shown.relative_to(ROOT).as_posix() + "/" * shown.is_dir()


def sentence(module: str) -> str:
    """The first paragraph of its docstring, as Markdown."""
    docstring = ast.get_docstring(ast.parse(path_of(module).read_text(encoding="utf-8")))
    assert docstring, f"{module} has no docstring"
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    paragraph = re.sub(r"`([^`<]+) <[^`]*>`", r"`\1`", paragraph).replace("``", "`")
    return paragraph.replace("|", r"\|")


def drawing(graph: grimp.ImportGraph, package: str) -> str:
    """A flowchart for Mermaid, which GitHub draws."""
    children = {one for one in graph.find_children(package) if not one.rpartition(".")[2].startswith("_")}
    lines = ["```mermaid", "flowchart TD"]
    for importer, imported in sorted(reduced(arrows_among(graph, children)).items()):
        name = importer.rpartition(".")[2]
        lines.append(f'    {name}["{name}/"]' if graph.find_children(importer) else f"    {name}")
        lines += [f"    {name} --> {one.rpartition('.')[2]}" for one in sorted(imported)]
    return "\n".join([*lines, "```"])


def layers(container: str) -> str:
    """The layers of a package, as `pyproject.toml` has import-linter keep them."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for contract in settings["tool"]["importlinter"]["contracts"]:
        if contract["type"] == "layers" and contract["containers"] == [container]:
            # In parentheses is what may be absent.
            there = [re.sub(r"\((\w+)\)", "", one).strip(" |") for one in contract["layers"]]
            shown = [re.sub(r"\s*\| _\w+", "", one) for one in there if one]
            return "\n".join(["```", *shown, "```"])
    raise LookupError(f"{container} has no layers")


def folders(graph: grimp.ImportGraph, package: str) -> str:
    """A table: each folder, what it is for, which other folders it imports."""
    packages = sorted(one for one in {package, *graph.find_descendants(package)} if graph.find_children(one))

    def folder_of(module: str) -> str:
        return max((one for one in packages if f"{module}.".startswith(f"{one}.")), key=len)

    rows = ["| folder | what is in it | which folders it imports |", "|---|---|---|"]
    for one in packages:
        if one != package:
            own = [module for module in graph.find_descendants(one) | {one} if folder_of(module) == one]
            imported = {
                folder_of(other)
                for module in own
                for other in graph.find_modules_directly_imported_by(module)
            }
            names = sorted(written(other).removeprefix(f"{package}/") for other in imported - {one, package})
            rows.append(
                f"| `{written(one)}` | {sentence(one)} | {', '.join(f'`{name}`' for name in names)} |"
            )
    return "\n".join(rows)


def files(graph: grimp.ImportGraph, package: str) -> str:
    """A table: what stands in a package beside its folders."""
    rows = ["| file | what is in it |", "|---|---|"]
    for one in sorted(graph.find_children(package)):
        if not graph.find_children(one):
            rows.append(f"| `{written(one)}` | {sentence(one)} |")
    return "\n".join(rows)


def renewed(text: str) -> str:
    """The page, with what stands between its marks made anew."""
    graph = built()

    def part(match: re.Match[str]) -> str:
        begin, kind, package, end = match.groups()
        made = {
            "drawing": lambda: drawing(graph, package),
            "files": lambda: files(graph, package),
            "folders": lambda: folders(graph, package),
            "layers": lambda: layers(package),
        }[kind]()
        return f"{begin}\n{made}\n\n{end}"

    return PART.sub(part, text)


if __name__ == "__main__":
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
