"""Open every page of the site in a browser, wide and narrow, and search it.

    uv run --isolated --only-group docs python docs/check_site.py [--screenshots FOLDER] [--site FOLDER]

Builds the site, serves it on this machine, and drives headless Chromium (the packages `chromium` and `chromium-driver`
of Debian). Fails if a page has an error in the console, is wider than the window, or loads anything from another
server, or if the search does not find what it should. The build itself checks the links.
"""

import argparse
import base64
import http.server
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
WIDTHS = (1400, 400)
# What somebody searches for, and a part of the address of a page that must be among the first results.
SEARCHES = {"Wigner D": "representations", "gate": "pointwise", "padding": "graphs", "stress": "stress"}
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
)  # fmt: skip


class Browser:
    """Headless Chromium, driven by the WebDriver protocol."""

    def __init__(self, port: int, profile: str) -> None:
        """Start a session of the driver that listens on a port, with a new profile."""
        self.url = f"http://127.0.0.1:{port}"
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.url += f"/session/{answer['sessionId']}"

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def open(self, url: str) -> None:
        """Open a page."""
        self._call("POST", "/url", {"url": url})

    def resize(self, width: int) -> None:
        """Give the window a width in pixels."""
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)

    def command(self, name: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._call("POST", "/goog/cdp/execute", {"cmd": name, "params": parameters})

    def run(self, script: str, *arguments: Any) -> Any:
        """Return the value of a function body in JavaScript."""
        return self._call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def errors(self) -> list[str]:
        """Return the errors in the console since the last call."""
        entries = self._call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def screenshot(self, path: Path) -> None:
        """Write a picture of the whole page."""
        height = min(self.run("return document.documentElement.scrollHeight"), 12_000)
        width = self.run("return innerWidth")
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        shot = self.command("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        with tempfile.NamedTemporaryFile("wb", dir=path.parent, delete=False) as file:
            file.write(base64.b64decode(shot["data"]))
        Path(file.name).replace(path)

    def search(self, words: str) -> list[str]:
        """Return the addresses of the results of the site's own search."""
        self.run(
            "const box = document.querySelector('[data-md-component=search-query]');"
            "box.focus(); box.value = arguments[0];"
            "box.dispatchEvent(new Event('input', {bubbles: true})); box.dispatchEvent(new KeyboardEvent('keyup'));",
            words,
        )
        for _ in range(100):
            found = self.run("return [...document.querySelectorAll('.md-search-result__link')].map(a => a.href)")
            if found:
                return found
            time.sleep(0.1)
        return []


@contextmanager
def browser() -> Iterator[Browser]:
    """Start Chromium and its driver, and stop them at the end."""
    driver = shutil.which("chromedriver")
    if driver is None:
        sys.exit("docs/check_site.py needs chromedriver and Chromium: apt install chromium chromium-driver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as profile:
        process = subprocess.Popen([driver, f"--port={port}"], stdout=subprocess.DEVNULL)
        try:
            for _ in range(100):
                time.sleep(0.1)
                with socket.socket() as attempt:
                    if attempt.connect_ex(("127.0.0.1", port)) == 0:
                        break
            opened = Browser(port, profile)
            yield opened
            opened._call("DELETE", "")
        finally:
            process.terminate()
            process.wait()


class Handler(http.server.SimpleHTTPRequestHandler):
    """A server of files that prints nothing."""

    def log_message(self, *args: Any) -> None:
        """Print nothing."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder, and give its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(site))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def faults(window: Browser, url: str) -> list[str]:
    """Return what is wrong with the page that is open."""
    for _ in range(20):  # the theme animates changes of the layout
        width, widest = window.run("return [innerWidth, document.documentElement.scrollWidth]")
        if widest <= width:
            break
        time.sleep(0.1)
    found = [f"{widest} pixels wide in a window of {width}"] if widest > width else []
    loaded = window.run("return performance.getEntriesByType('resource').map(entry => entry.name)")
    found += [f"loads {name}" for name in loaded if not name.startswith((url, "data:", "blob:"))]
    return found + window.errors()


def main() -> int:
    """Check the site; see the docstring of this file."""
    parser = argparse.ArgumentParser(description="Open every page of the site in a browser, and search it.")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="write a picture of each page there")
    parser.add_argument("--site", type=Path, metavar="FOLDER", help="a site that is built already")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = words.site or Path(folder)
        if words.site is None:
            build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(site)]
            subprocess.run(build, cwd=ROOT, check=True)
        pages = sorted(path.relative_to(site).as_posix() for path in site.rglob("index.html"))
        wrong = []
        with served(site) as url, browser() as window:
            for page in pages:
                for width in WIDTHS:
                    window.resize(width)
                    if width == WIDTHS[0]:
                        window.open(url + page)
                    wrong += [f"{page} at {width} pixels: {fault}" for fault in faults(window, url)]
                    if words.screenshots:
                        words.screenshots.mkdir(parents=True, exist_ok=True)
                        name = page.removesuffix("index.html").strip("/").replace("/", "_") or "index"
                        window.screenshot(words.screenshots / f"{name}_{width}.png")
            for wanted, place in SEARCHES.items():
                window.open(url)
                found = window.search(wanted)
                if not any(place in address for address in found[:10]):
                    wrong.append(f"search for {wanted!r}: no page {place!r} among {found[:10]}")
    print(
        "\n".join(
            [*wrong, f"{len(pages)} pages at {len(WIDTHS)} widths, {len(SEARCHES)} searches: {len(wrong)} faults"]
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
