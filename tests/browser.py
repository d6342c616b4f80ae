"""A headless Chromium to look at a page with, driven by Selenium."""

import json
import os
import shutil
from pathlib import Path

from debian import install_packages
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait
from waiting import HANGS

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


def install():
    """Install Chromium and its driver where they are missing and can be (Debian, as root)."""
    if shutil.which("chromium") and shutil.which("chromedriver"):
        return
    install_packages(*PACKAGES)


class Browser(Chrome):
    """A Chromium of its own, with an empty profile; closed at the end of a `with` block."""

    def __init__(self, folder):
        options = ChromeOptions()
        for flag in [*FLAGS, f"--user-data-dir={folder}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        os.environ.setdefault("no_proxy", "localhost")  # a proxy would not reach the driver
        super().__init__(options, ChromeService(shutil.which("chromedriver")))
        self.set_script_timeout(HANGS)

    def clear(self):
        """Leave the page that is shown, and forget what was noted of it."""
        self.leave_frame()
        self.get("about:blank")
        self.set_window_size(1280, 800)
        self.errors()
        self.requested()

    def open(self, path):
        """Open a file."""
        self.get(Path(path).as_uri())

    def run(self, script, *arguments):
        """Run JavaScript in the page or frame; return what it returns."""
        return self.execute_script(script, *arguments)

    def find(self, xpath):
        """Return the element at an XPath, waiting until there is one."""
        return WebDriverWait(self, HANGS).until(lambda page: page.find_element(By.XPATH, xpath))

    def click(self, xpath):
        """Click the element at an XPath as a person would: it has to be visible."""
        self.find(xpath).click()

    def type(self, xpath, text):
        """Type into the element at an XPath."""
        self.find(xpath).send_keys(text)

    def enter_frame(self, xpath):
        """Let what follows be about the document in an iframe."""
        self.switch_to.frame(self.find(xpath))

    def leave_frame(self):
        """Let what follows be about the whole page again."""
        self.switch_to.default_content()

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
        return [entry["message"] for entry in self.get_log("browser") if entry["level"] == "SEVERE"]

    def requested(self):
        """Return the addresses that the page has asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.get_log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]
