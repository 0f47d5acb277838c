"""A hook of MkDocs: the build fails if a link within the site leads nowhere, or a page loads files of other servers."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

LINK = re.compile(r'<(a|img|link|script|source|iframe)\b[^>]*?\s(?:href|src)=(?:"([^"]*)"|([^\s">]+))')
ANCHOR = re.compile(r'\s(?:id|name)=(?:"([^"]*)"|([^\s">]+))')


def anchors(text: str) -> set[str]:
    """Return the names of all places of a page that links can lead to."""
    return {unescape(a or b) for a, b in ANCHOR.findall(text)}


def broken_links(site: Path) -> Iterator[str]:
    """Yield each link that leads nowhere, with its page.

    Args:
        site: folder of the built site.
    """
    pages = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html") if path.name != "404.html"}
    places = {path: anchors(text) for path, text in pages.items()}
    for path, text in pages.items():
        for tag, *found in LINK.findall(text):
            link = unescape("".join(found))
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                if tag != "a" and parts.scheme in ("http", "https"):
                    yield f"{path.relative_to(site)} loads {link} from another server"
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            fragment = unquote(parts.fragment)
            if not target.exists():
                yield f"{path.relative_to(site)}: {link} does not exist"
            elif fragment and target in places and fragment not in places[target]:
                yield f"{path.relative_to(site)}: {link} has no such place"


def on_post_build(config: Any) -> None:
    """Check all links. The last of the hooks: all files are written.

    Raises:
        PluginError: links are broken; the message lists them.
    """
    broken = sorted(set(broken_links(Path(config.site_dir).resolve())))
    if broken:
        from mkdocs.exceptions import PluginError  # tests run without MkDocs

        raise PluginError("\n".join([f"{len(broken)} broken links:", *broken[:50]]))
