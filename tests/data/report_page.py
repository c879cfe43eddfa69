"""Looks at a page of `tripword label --report` in Chromium: prints a JSON object of what was seen.

Arguments: the page, the folder for screenshots, thresholds at which detections are counted.
"""

import json
import pathlib
import sys

from playwright.sync_api import sync_playwright

page_path, shots = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
seen = {"errors": [], "requests": []}

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(
        executable_path="/usr/bin/chromium",
        args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio"],
    )
    page = browser.new_page(viewport={"width": 1300, "height": 900}, color_scheme="light")
    page.on("console", lambda message: message.type == "error" and seen["errors"].append(message.text))
    page.on("pageerror", lambda error: seen["errors"].append(str(error)))
    page.on("request", lambda request: seen["requests"].append(request.url[:60]))
    page.goto(page_path.as_uri())
    page.wait_for_selector("body[data-ready-ms]", timeout=30_000)
    seen["ready_ms"] = int(page.evaluate("document.body.dataset.readyMs"))
    # A frame that zooms, with all that it draws.
    seen["frame_ms"] = page.evaluate(
        """() => new Promise(done => {
            document.getElementById("zoom-in").click();
            const before = performance.now();
            requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - before)));
        })"""
    )
    page.keyboard.press("0")
    count = lambda: int(page.inner_text("#count").split()[0])
    rows = lambda: page.eval_on_selector_all(
        "#table tbody tr", "rows => rows.map(row => [...row.cells].slice(0, 5).map(cell => cell.textContent))"
    )
    seen["n_own"], seen["rows"] = count(), rows()
    page.screenshot(path=shots / "light.png", full_page=True)

    # A region is clicked and plays.
    current = "document.getElementById('clip').currentTime"
    page.wait_for_timeout(200)
    regions = page.locator("#regions button")
    seen["n_regions"] = regions.count()
    if regions.count():
        seen["region"] = regions.first.get_attribute("aria-label")
        regions.first.click()
        page.wait_for_timeout(150)
        before = page.evaluate(current)
        seen["is_stop"] = page.inner_text("#play")
        page.wait_for_timeout(400)
        seen["played_s"] = page.evaluate(current) - before
        page.wait_for_function("document.getElementById('clip').paused", timeout=10_000)
        seen["clip_s"] = page.evaluate("document.getElementById('clip').duration")
        page.screenshot(path=shots / "chosen.png", full_page=True)

    # Keys: the next detection, its sound, stop; zoom; thresholds.
    page.keyboard.press("0")
    page.keyboard.press("n")
    page.wait_for_timeout(200)
    seen["next"] = page.inner_text("#table tr[aria-selected=true] td:nth-child(2)")
    seen["is_playing"] = not page.evaluate("document.getElementById('clip').paused")
    page.keyboard.press(" ")
    seen["is_stopped"] = page.evaluate("document.getElementById('clip').paused")
    page.wait_for_timeout(50)
    before = page.inner_text("#range")
    page.keyboard.press("+")
    page.wait_for_timeout(50)
    seen["zoomed"] = [before, page.inner_text("#range")]
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(50)
    seen["moved"] = page.inner_text("#range")
    page.keyboard.press("0")
    page.keyboard.press("?")
    seen["keys_shown"] = page.evaluate("document.getElementById('keys').open")
    page.keyboard.press("?")
    page.keyboard.press("u")
    page.keyboard.press("m")
    seen["n_own_again"] = count()

    # The slider of all words at each threshold that is asked for.
    seen["at"] = {}
    places = "JSON.parse(document.getElementById('header').textContent).thresholds"
    for threshold in sys.argv[3:]:
        idx = page.evaluate(f"{places}.findIndex(threshold => Math.abs(threshold - {threshold}) < 1e-6)")
        page.locator("#threshold-all").evaluate(
            "(slider, idx) => { slider.value = idx; slider.dispatchEvent(new Event('input')); }", idx
        )
        seen["at"][threshold] = count()
    page.locator("#threshold-all").focus()
    before = page.locator("#threshold-all").input_value()
    page.keyboard.press("ArrowLeft")
    seen["slider_moved"] = int(page.locator("#threshold-all").input_value()) - int(before)

    # The recording from where the picture is clicked, if it is there.
    page.keyboard.press("Escape")
    page.locator("#own").click()
    page.locator("#whole").click()
    page.locator("#detail").click(position={"x": 700, "y": 60})
    page.wait_for_timeout(500)
    seen["recording_s"] = page.evaluate("document.getElementById('recording').currentTime")
    seen["message"] = page.inner_text("#message")
    if page.inner_text("#play").endswith("stop"):
        page.locator("#play").click()

    for scheme, width in [("dark", 1300), ("light", 420)]:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(200)
        page.screenshot(path=shots / f"{scheme}-{width}.png", full_page=True)
        seen.setdefault("overflow", []).append(
            page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        )
    browser.close()

print(json.dumps(seen))
