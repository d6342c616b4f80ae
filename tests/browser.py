"""A headless Chromium to look at a page with, driven over the WebDriver protocol.

The protocol is JSON over HTTP: the few calls needed here take less than a client library, which
would have to be installed with the driver environment.
"""

import base64
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from debian import install_packages
from waiting import HANGS, wait_until

FLAGS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PACKAGES = ["chromium-driver", "fonts-dejavu-core"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key that the WebDriver standard gives them


def install():
    """Install Chromium and its driver where they are missing and can be (Debian, as root)."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return
    install_packages(*PACKAGES)


class Browser:
    """A Chromium of its own, with an empty profile; closed at the end of a `with` block."""

    def __init__(self, folder, width=1280, height=800):
        self.driver = subprocess.Popen(
            ["chromedriver", "--port=0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        line = next(line for line in self.driver.stdout if "successfully on port" in line)
        port = re.search(r"port (\d+)", line)[1]
        self.address = f"http://127.0.0.1:{port}"
        options = {"args": [*FLAGS, f"--user-data-dir={folder}", f"--window-size={width},{height}"]}
        capabilities = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        }
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})
        self.address += f"/session/{answer['sessionId']}"
        self.call("POST", "/url", {"url": "about:blank"})  # instead of Chromium's own first page
        self.errors()
        self.requested()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=HANGS)

    def call(self, method, path, body=None):
        """Send a command; return its value."""
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.address + path, data, method=method)
        request.add_header("Content-Type", "application/json")
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=HANGS) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, path):
        """Open a file."""
        self.call("POST", "/url", {"url": Path(path).as_uri()})

    def run(self, script, *arguments):
        """Run JavaScript in the page or frame; return what it returns."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def find(self, xpath):
        """Return the element at an XPath, waiting until there is one."""
        query = {"using": "xpath", "value": xpath}
        found = []
        wait_until(
            lambda: found.extend(self.call("POST", "/elements", query)) or found,
            f"something on the page that is {xpath}",
        )
        return found[0]

    def click(self, xpath):
        """Click the element at an XPath as a person would: it has to be visible."""
        self.call("POST", f"/element/{self.find(xpath)[ELEMENT]}/click")

    def type(self, xpath, text):
        """Type into the element at an XPath."""
        self.call("POST", f"/element/{self.find(xpath)[ELEMENT]}/value", {"text": text})

    def enter_frame(self, xpath):
        """Let what follows be about the document in an iframe."""
        self.call("POST", "/frame", {"id": self.find(xpath)})

    def leave_frame(self):
        """Let what follows be about the whole page again."""
        self.call("POST", "/frame", {"id": None})

    def resize(self, width, height):
        """Give the window another size."""
        self.call("POST", "/window/rect", {"width": width, "height": height})

    def save_screenshot(self, path):
        """Write what the window shows as PNG."""
        Path(path).write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def settle(self):
        """Wait until nothing moves or fades: a colour that is on its way is not the page's."""
        self.run(
            "const settle = async () => {"
            " for (let still = 0; still < 2; still = moving().length ? 0 : still + 1) {"
            "  await Promise.allSettled(moving().map(({finished}) => finished));"
            "  await new Promise(requestAnimationFrame);"
            " }};"
            "const moving = () => document.getAnimations();"
            "return settle()"
        )

    def findings(self, axe):
        """Return what axe-core finds serious or critical in the page or frame: (rule, element)."""
        self.run(Path(axe).read_text(encoding="utf-8"))
        self.settle()
        found = self.run(
            "return axe.run(document, {resultTypes: ['violations'], iframes: false})"
            ".then(found => found.violations"
            ".filter(({impact}) => ['serious', 'critical'].includes(impact))"
            ".flatMap(({id, nodes}) => nodes.map(({html}) => [id, html])))"
        )
        return [(rule, html[:200]) for rule, html in found]

    def errors(self):
        """Return the errors on the console since the last call."""
        log = self.call("POST", "/se/log", {"type": "browser"})
        return [entry["message"] for entry in log if entry["level"] == "SEVERE"]

    def requested(self):
        """Return the addresses that the page has asked for since the last call."""
        log = self.call("POST", "/se/log", {"type": "performance"})
        events = [json.loads(entry["message"])["message"] for entry in log]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
