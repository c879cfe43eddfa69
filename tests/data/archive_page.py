"""Looks at the page of an archive in Chromium: prints a JSON object of what was seen.

Arguments: the page, the folder for screenshots.
"""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

page_path, shots = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
seen = {"errors": []}

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium",
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
    )
    page = browser.new_page(viewport={"width": 1300, "height": 700})
    page.on("console", lambda message: message.type == "error" and seen["errors"].append(message.text))
    page.on("pageerror", lambda error: seen["errors"].append(str(error)))
    page.goto(page_path.as_uri())
    first = lambda: page.inner_text("tbody tr:first-child td:first-child")
    seen["unsorted"] = first()
    head = page.get_by_role("button", name="detections")
    head.click()
    seen["most"] = first()
    page.screenshot(path=shots / "archive.png")
    head.click()
    seen["fewest"] = first()
    page.fill("#filter", "DEMO")
    seen["n_named_demo"] = page.locator("tbody tr:visible").count()
    page.get_by_role("link", name="demo").click()
    page.wait_for_selector("body[data-ready-ms]", timeout=30_000)
    seen["facts"] = page.inner_text("#facts")
    browser.close()

print(json.dumps(seen))
