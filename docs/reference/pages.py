"""A hook of MkDocs that generates the reference: an entry for every public name of every package.

Packages in chapters get a page for each chapter, other modules one page. Names that a module re-exports are listed with
a link to their entry. The build fails if a public name is missing from the site's inventory, `objects.inv`.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from docstrings import link, linked
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority, get_plugin_logger
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocstrings import Inventory
from public_names import MODULES, Origin, chapters, home, module_summary, origin, public_names

FOLDER = "reference"
PACKAGES = list(dict.fromkeys(module.split(".")[0] for module in MODULES))
# Packages from the lowest, each before its modules.
IN_ORDER = sorted(MODULES, key=lambda module: (PACKAGES.index(module.split(".")[0]), module.count(".")))
# The pages of chapters follow the order of their imports, lowest first; what helps in all of them comes last.
CHAPTERS = {package: sorted(found, key=lambda name: name.startswith("_")) for package, found in chapters().items()}
TITLES = {"_inputs": "tools", "_executor": "executor"}
# Words that readers search for, in the heading of a chapter.
ALSO = {"representations": "Wigner D", "coupling": "Clebsch-Gordan"}

log = get_plugin_logger("reference")


def entries(module: str) -> dict[str, Origin]:
    """Return the names whose entries are on the pages of a module, in the order of their definitions."""
    own = [name for name in public_names(module) if home(module, name) == f"{module}.{name}"]
    found = {name: where for name in own if (where := origin(module, name)) is not None and where.name}
    return dict(sorted(found.items(), key=lambda item: (item[1].module, item[1].node.lineno)))


def chapter_of(module: str, defined: Origin) -> str:
    """Return the chapter of a package in which an object is defined."""
    return defined.module.removeprefix(f"{module}.").split(".")[0]


def pages() -> Iterator[tuple[str, str, str]]:
    """Yield module, path and Markdown of each generated page, except the first one."""
    for module in IN_ORDER:
        own = entries(module)
        if module not in CHAPTERS:
            yield module, f"{FOLDER}/{module}.md", f"{module_text(module)}\n\n{blocks(module, own)}"
            continue
        yield module, f"{FOLDER}/{module}/index.md", module_text(module)
        for chapter in CHAPTERS[module]:
            names = {name: where for name, where in own.items() if chapter_of(module, where) == chapter}
            if names:
                yield module, f"{FOLDER}/{module}/{title(chapter)}.md", chapter_text(module, chapter, names)


def title(chapter: str) -> str:
    """Return the name of a chapter for readers, who do not see private ones."""
    return TITLES.get(chapter, chapter)


def blocks(module: str, names: Iterable[str]) -> str:
    """Return a mkdocstrings block for each name."""
    return "\n\n".join(block(f"{module}.{name}", 2) for name in names)


def block(identifier: str, level: int, members: str = "null") -> str:
    """Return the mkdocstrings block of an entry."""
    full = "true" if members == "false" else "false"
    options = {"heading_level": level, "members": members, "show_root_full_path": full}
    lines = [f"      {name}: {value}" for name, value in options.items()]
    return "\n".join([f"::: {identifier}", "    options:", *lines])


def chapter_text(module: str, chapter: str, names: dict[str, Origin]) -> str:
    """Return the page of a chapter: its docstring, and its entries."""
    doc = linked(module_summary(f"{module}.{chapter}"))
    heading = " and ".join([title(chapter), *filter(None, [ALSO.get(chapter)])])
    return f"# {module}: {heading}\n\n{doc}\n\n{blocks(module, names)}"


def module_text(module: str) -> str:
    """Return the head of the page of a module: its docstring and tables of its names."""
    parts = [block(module, 1, "false")]
    own = entries(module)
    if module in CHAPTERS:
        for chapter in CHAPTERS[module]:
            names = {name: where for name, where in own.items() if chapter_of(module, where) == chapter}
            if names:
                parts.append(f"## {title(chapter).capitalize()}\n\n{table(module, names)}")
    others: dict[str, dict[str, Origin]] = {}
    for name in public_names(module):
        where = origin(module, name)
        if where is not None and name not in own:
            place = home(module, name).removesuffix(f".{name}") if where.name else ""
            others.setdefault(place, {})[name] = where
    modules = others.pop("", {})
    if modules:
        parts.append(f"## Modules\n\n{table(module, modules)}")
        parts += [block(where.module, 3, "false") for where in modules.values() if where.module not in MODULES]
    parts += [f"## From {place}\n\n{table(module, names)}" for place, names in sorted(others.items())]
    return "\n\n".join(parts)


def table(module: str, names: dict[str, Origin]) -> str:
    """Return a table of names, with links to their entries, and summaries."""
    wrapped = {name: re.sub(r"(?<=_)|(?<=[a-z])(?=[A-Z])", "<wbr>", name) for name in names}  # on a phone
    rows = [f"| {link(wrapped[name], home(module, name))} | {cell(names[name].summary)} |" for name in names]
    return "\n".join(["| name | summary |", "|---|---|", *rows])


def cell(text: str) -> str:
    """Return a text as the cell of a table."""
    text = re.sub(r"\$[^$]+\$", lambda formula: formula[0].replace("|", r"{\vert}"), linked(text))
    return text.replace("|", r"\|")


def on_config(config: MkDocsConfig) -> None:
    """Add the pages to the navigation."""
    sections: dict[str, list[Any]] = {}
    for module, path, _ in pages():
        name = path.removeprefix(f"{FOLDER}/").removesuffix(".md").removesuffix("/index")
        sections.setdefault(module.split(".")[0], []).append({name.split("/")[-1]: path})
    nav = [{package: found if len(found) > 1 else found[0].popitem()[1]} for package, found in sections.items()]
    assert config.nav is not None
    config.nav.append({"Reference": [{"Overview": f"{FOLDER}/index.md"}, *nav]})


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Generate the pages."""
    for _, path, text in pages():
        files.append(File.generated(config, path, content=text))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Add the table of all modules to the first page of the reference."""
    if page.file.src_uri != f"{FOLDER}/index.md":
        return markdown
    counts = {module: len(public_names(module)) or "" for module in IN_ORDER}
    short = {module: module.replace("irreps_compat.e3nn_jax.", "e3nn_jax.") for module in counts}  # fits on a screen
    rows = [f"| {link(short[module], module)} | {n} | {cell(module_summary(module))} |" for module, n in counts.items()]
    return "\n".join([markdown, "| module | names | |", "|---|---|---|", *rows])


@event_priority(100)  # before mkdocstrings writes the inventory
def on_env(env: Any, config: MkDocsConfig, files: Files) -> None:
    """Put re-exported names into the inventory, and take private ones out."""
    inventory: Inventory = config.plugins["mkdocstrings"].handlers.inventory
    for name in [name for name in inventory if any(part.startswith("_") for part in name.split("."))]:
        if not re.search(r"\.__\w+__$", name) or "._" in name.rpartition(".")[0]:
            del inventory[name]
    for module in MODULES:
        for name in public_names(module):
            entry = inventory.get(home(module, name))
            if entry is not None and f"{module}.{name}" not in inventory:
                inventory.register(f"{module}.{name}", entry.domain, entry.role, entry.uri, priority=2)


def on_post_build(config: MkDocsConfig) -> None:
    """Fail if a public name is missing from the inventory.

    Raises:
        PluginError: names are missing; the message lists them.
    """
    with (Path(config.site_dir) / "objects.inv").open("rb") as file:
        inventory = Inventory.parse_sphinx(file)
    wanted = {module: [f"{module}.{name}" for name in public_names(module)] for module in MODULES}
    missing = [name for names in wanted.values() for name in names if name not in inventory]
    missing += [module for module in MODULES if module not in inventory]
    if missing:
        raise PluginError(f"the reference lacks {len(missing)} public names: {', '.join(missing)}")
    packages: dict[str, int] = {}
    for module, names in wanted.items():
        packages[module.split(".")[0]] = packages.get(module.split(".")[0], 0) + len(names)
    counts = ", ".join(f"{package} {count}" for package, count in packages.items())
    log.info(f"public names in the reference: {counts}; {sum(packages.values())} in all")
