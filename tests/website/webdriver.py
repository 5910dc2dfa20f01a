"""A headless Chromium, spoken to in its own protocol (W3C WebDriver over HTTP), and a server for what it looks at.

No library stands between: one more to keep, and the usual one asks the network for drivers.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

DRIVER = shutil.which("chromedriver")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",  # continuous integration runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 30.0


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *_: Any) -> None:
        """What was asked for, the browser tells."""

    def do_GET(self) -> None:
        """A page without an icon of its own is asked for this one, and none is no fault of it."""
        if self.path == "/favicon.ico":
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on loopback, and give its address."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, name="site")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Browser:
    """One window. ``problems`` are what its console complained of, ``asked`` every address it asked for."""

    def __init__(self, address: str, session: str, width: int) -> None:
        self.width = width
        self._session = f"{address}/session/{session}"

    def open(self, url: str) -> None:
        """Go there, and return when it has loaded."""
        self._read("browser"), self._read("performance")  # of the page before
        self._post("url", {"url": url})

    def run(self, script: str) -> Any:
        """The value of a function's body in the page."""
        return self._post("execute/sync", {"script": script, "args": []})

    def wait_for(self, condition: str) -> None:
        """Come back once an expression is true in the page.

        Raises:
            AssertionError: It was not in time.
        """
        done = self._post(
            "execute/async",
            {
                "script": "const done = arguments[0]; const end = Date.now() + 10000;"
                f"(function look() {{ if ({condition}) done(true);"
                " else if (Date.now() > end) done(false); else setTimeout(look, 50); })();",
                "args": [],
            },
        )
        assert done, condition

    def picture(self) -> str:
        """What is on the screen, as base64 of a PNG."""
        return str(requests.get(f"{self._session}/screenshot", timeout=PATIENCE).json()["value"])

    def problems(self) -> list[str]:
        """Errors and warnings of the console since the page was opened."""
        return [entry["message"] for entry in self._read("browser") if entry["level"] != "INFO"]

    def asked(self) -> list[str]:
        """Every address that was asked for since the page was opened."""
        told = [json.loads(entry["message"])["message"] for entry in self._read("performance")]
        asked = (
            event["params"]["request"]["url"]
            for event in told
            if event["method"] == "Network.requestWillBeSent"
        )
        # A new window shows the browser's own first page.
        return [url for url in asked if not url.startswith("chrome://")]

    def _read(self, log: str) -> list[dict[str, Any]]:
        return list(self._post("se/log", {"type": log}))

    def _post(self, command: str, body: dict[str, Any]) -> Any:
        answer = requests.post(f"{self._session}/{command}", json=body, timeout=PATIENCE).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer


@contextlib.contextmanager
def browser(*, width: int, height: int) -> Iterator[Browser]:
    """A window of that size; narrow ones are a phone's."""
    options: dict[str, Any] = {"binary": CHROMIUM}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        driver = subprocess.Popen(  # noqa: S603  (found above)
            [str(DRIVER), "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            assert driver.stdout is not None
            port = next(
                found[1]
                for line in driver.stdout
                if (found := re.search(r"successfully on port (\d+)", line))
            )
            options["args"] = [*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
            if width < 500:
                metrics = {"width": width, "height": height, "pixelRatio": 2, "touch": True}
                options["mobileEmulation"] = {"deviceMetrics": metrics}
            wish = {
                "browserName": "chrome",
                "goog:chromeOptions": options,
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
            }
            address = f"http://127.0.0.1:{port}"
            made = requests.post(
                f"{address}/session", json={"capabilities": {"alwaysMatch": wish}}, timeout=PATIENCE
            ).json()["value"]
            assert "sessionId" in made, made
            try:
                yield Browser(address, made["sessionId"], width)
            finally:
                requests.delete(f"{address}/session/{made['sessionId']}", timeout=PATIENCE)
        finally:
            driver.terminate()
            driver.wait(PATIENCE)
            if driver.stdout is not None:
                driver.stdout.close()
