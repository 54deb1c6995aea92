"""A made scene for the camera in screenshots: hills at dusk, drawn by the browser itself."""

from pathlib import Path

from playwright.async_api import Browser

FRAMES = 12

_SCENE = """<!doctype html><style>body{margin:0}svg{display:block;width:1280px;height:720px}</style>
<svg viewBox="0 0 1280 720" xmlns="http://www.w3.org/2000/svg">
<defs>
<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="#1d2b53"/><stop offset=".45" stop-color="#7a4f86"/>
<stop offset=".75" stop-color="#f08a6c"/><stop offset="1" stop-color="#ffd9a0"/>
</linearGradient>
<radialGradient id="sun"><stop offset="0" stop-color="#fff3d6"/>
<stop offset=".35" stop-color="#ffdf9e"/><stop offset="1" stop-color="#ffdf9e" stop-opacity="0"/>
</radialGradient>
</defs>
<rect width="1280" height="720" fill="url(#sky)"/>
<circle id="light" cx="820" cy="380" r="230" fill="url(#sun)"/>
<circle cx="820" cy="380" r="58" fill="#fff0cf"/>
<path fill="#a4617f" d="M0 470 190 350l150 90 170-140 190 150 160-90 200 130 220-100v330H0Z"/>
<path fill="#6d4573" d="M0 540q170-90 330-40t330-40 330 30 290-60v290H0Z"/>
<path fill="#3b2f5b" d="M0 610q200-70 420-20t430-30 430 10v150H0Z"/>
<path fill="#231f3f" d="M0 670q260-50 520-10t760-20v80H0Z"/>
<g id="birds" fill="none" stroke="#2b2347" stroke-width="4" stroke-linecap="round">
<path d="M0 0q12-14 24 0q12-14 24 0M70 34q9-11 18 0q9-11 18 0M-52 46q9-11 18 0q9-11 18 0"/>
</g></svg>"""


async def record(browser: Browser, path: Path) -> None:
    """Write the scene as a Motion JPEG file of 1280x720, which Chromium plays as its camera."""
    context = await browser.new_context(viewport={"width": 1280, "height": 720})
    page = await context.new_page()
    await page.set_content(_SCENE)
    frames = []
    for number in range(FRAMES):
        await page.evaluate(
            "(n) => document.getElementById('birds')"
            ".setAttribute('transform', `translate(${330 + 7 * n} ${190 - 2 * n})`)",
            number,
        )
        frames.append(await page.screenshot(type="jpeg", quality=90))
    path.write_bytes(b"".join(frames + frames[-2:0:-1]))
    await context.close()
