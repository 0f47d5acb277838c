"""A hook of MkDocs: the guides of the packages as pages, and `llms.txt`, a list of all pages with a summary of each."""

import re
from html import unescape
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.utils import write_file
from public_names import MODULES, SOURCES

GUIDES = {package: folder / "guide.md" for package, folder in SOURCES.items() if (folder / "guide.md").exists()}
# Of each page, by its address: title and first paragraph.
_pages: dict[str, tuple[str, str]] = {}


def on_config(config: MkDocsConfig) -> None:
    """Add the guides to the navigation."""
    _pages.clear()
    order = [package for package in dict.fromkeys(module.split(".")[0] for module in MODULES) if package in GUIDES]
    section = {"Guides for editors": [{package: f"guides/{package}.md"} for package in order]}
    for entry in config.nav or []:
        if "Extending" in entry:
            entry["Extending"].append(section)


def on_files(files: Files, config: MkDocsConfig) -> None:
    """Generate the pages of the guides."""
    for package, path in GUIDES.items():
        text = f"{path.read_text()}\n`python -m {package} guide` prints this page.\n"
        files.append(File.generated(config, f"guides/{package}.md", content=text))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Remember the first paragraph of each page."""
    found = (re.sub(r"<[^>]+>", "", text) for text in re.findall(r"<p>(.*?)</p>", html, re.DOTALL))
    paragraphs = (" ".join(unescape(text).split()) for text in found)
    summary = next((text for text in paragraphs if text and not text.startswith("Download as a notebook")), "")
    sentence = re.match(r"(.*?[.:])(\s|$)", summary)
    _pages[page.url] = (str(page.title), sentence[1].rstrip(":") if sentence else summary)
    return html


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Remember the order of the pages."""
    _order[:] = [page.url for page in nav.pages]
    return nav


_order: list[str] = []


def on_post_build(config: MkDocsConfig) -> None:
    """Write llms.txt; see https://llmstxt.org."""
    lines = [f"# {config.site_name}", "", f"> {config.site_description}", "", "## Pages", ""]
    for url in _order:
        title, summary = _pages[url]
        lines.append(f"- [{title}]({url or './'})" + (f": {summary}" if summary else ""))
    write_file(("\n".join(lines) + "\n").encode(), str(Path(config.site_dir) / "llms.txt"))
