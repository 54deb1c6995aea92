"""The receiver's toolbar: which picture it changes, what it says, and its keys."""

import re

from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import Pages, click_tool, phase
from tests.running_server import local_sender_link
from tests.signaling.transport.client import client


async def turns(receiver: Page, *expected: int) -> None:
    """Wait until there is a tile for each number, turned by so many quarters."""
    tiles = receiver.locator(".tile")
    await expect(tiles).to_have_count(len(expected))
    for index, count in enumerate(expected):
        await expect(tiles.nth(index)).to_have_attribute("data-turns", str(count))


async def live(server: SignalingServer, pages: Pages) -> tuple[Page, Page]:
    """Both pages, with the picture there."""
    receiver = await pages.receiver(server)
    sender = await pages.sender(server)
    await phase(receiver, "live")
    await phase(sender, "live")
    return sender, receiver


async def test_a_turned_phone_turns_no_other(server: SignalingServer, pages: Pages) -> None:
    """Turning one phone's picture does not turn the picture of the next phone."""
    receiver = await pages.receiver(server)
    await pages.sender(server)
    await phase(receiver, "live")
    await receiver.keyboard.press("r")
    await turns(receiver, 1)
    await pages.sender(server)
    await turns(receiver, 1, 0)
    await receiver.locator(".tile-name").nth(1).click()
    await receiver.keyboard.press("m")
    mirrored = receiver.locator(".tile[data-mirrored]")
    await expect(mirrored).to_have_count(1)
    await expect(mirrored).to_have_attribute("data-turns", "0")


async def test_a_named_phone_stands_as_it_stood(server: SignalingServer, pages: Pages) -> None:
    """A phone with a name is turned as before when it comes back as another peer."""
    receiver = await pages.receiver(server)
    link = local_sender_link(server)
    room, _, key = link.partition("#")[2].partition(".")
    register = {"role": "sender", "room": room, "key": key, "name": "Desk"}
    async with client(link) as desk:
        await desk.register(**register)
        await turns(receiver, 0)
        await receiver.keyboard.press("r")
        await turns(receiver, 1)
    await turns(receiver)
    async with client(link) as desk:
        await desk.register(**register)
        await turns(receiver, 1)


async def test_arrow_keys_go_on_choosing(server: SignalingServer, pages: Pages) -> None:
    """After a choice by keyboard, the select keeps the focus, and letters are not shortcuts."""
    sender, receiver = await live(server, pages)
    quality = receiver.locator("#quality")
    await expect(quality).to_have_value("high")
    await quality.press("ArrowUp")
    await expect(quality).to_have_value("medium")
    await receiver.keyboard.press("ArrowUp")
    await expect(quality).to_have_value("low")
    await expect(sender.locator("html")).to_have_attribute("data-settings", "640x480@15")
    await receiver.keyboard.press("m")
    await expect(quality).to_have_value("medium")
    await expect(quality).to_be_focused()
    await expect(receiver.locator("#mirror")).to_have_attribute("aria-pressed", "false")


async def test_a_choice_by_pointer_gives_the_keys_back(
    server: SignalingServer, pages: Pages
) -> None:
    """After a choice by click, the shortcuts work at once."""
    sender, receiver = await live(server, pages)
    quality = receiver.locator("#quality")
    await click_tool(quality)
    await expect(quality).to_be_focused()
    await quality.select_option("low")
    await expect(quality).not_to_be_focused()
    await receiver.keyboard.press("m")
    await expect(receiver.locator("#mirror")).to_have_attribute("aria-pressed", "true")
    await expect(sender.locator("html")).to_have_attribute("data-settings", "640x480@15")
    await expect(quality).to_have_value("low")


async def test_what_the_phone_chose_meanwhile_is_shown(
    server: SignalingServer, pages: Pages
) -> None:
    """While the select has the focus, it stays as it is; then it shows what the phone uses."""
    sender, receiver = await live(server, pages)
    quality = receiver.locator("#quality")
    await expect(quality).to_have_value("high")
    await quality.focus()
    await sender.locator("#settings").click()
    await sender.locator("label:has(#preset-low)").click()
    await receiver.wait_for_function("() => document.querySelector('video').videoWidth === 640")
    await expect(quality).to_have_value("high")
    await receiver.keyboard.press("Tab")
    await expect(quality).to_have_value("low")


async def test_the_sound_button_says_what_it_does(server: SignalingServer, pages: Pages) -> None:
    """Its name is Unmute or Mute, with the icon for it, and it has no pressed state."""
    sender, receiver = await live(server, pages)
    await sender.locator("#microphone").click()
    button = receiver.locator("#unmute")
    for name, icon in (("Unmute", "when-off"), ("Mute", "when-on"), ("Unmute", "when-off")):
        await expect(button).to_have_accessible_name(name)
        assert await button.get_attribute("aria-pressed") is None
        await expect(button.locator(".icon:visible")).to_have_class(re.compile(icon))
        await click_tool(button)


async def test_the_sound_of_one_camera_is_pressed_or_not(
    server: SignalingServer, pages: Pages
) -> None:
    """With several cameras, each sound button keeps its name and tooltip, and is pressed or not."""
    sender, receiver = await live(server, pages)
    await sender.locator("#microphone").click()
    await pages.sender(server)
    button = receiver.locator(".tile-mute").first
    for pressed in ("false", "true", "false"):
        await expect(button).to_have_attribute("aria-pressed", pressed)
        await expect(button).to_have_accessible_name("Sound of this camera")
        await expect(button).to_have_attribute("title", "Sound of this camera")
        await button.click()


async def test_the_invitation_closes_by_a_click_beside_it(
    server: SignalingServer, pages: Pages
) -> None:
    """A click at the edge inside the dialog leaves it open."""
    _sender, receiver = await live(server, pages)
    await click_tool(receiver.locator("#invite"))
    dialog = receiver.locator("#invite-dialog")
    box = await dialog.bounding_box()
    assert box
    await receiver.mouse.click(box["x"] + 6, box["y"] + box["height"] / 2)
    await expect(dialog).to_be_visible()
    await receiver.mouse.click(box["x"] - 6, box["y"] + box["height"] / 2)
    await expect(dialog).to_be_hidden()


async def test_a_copied_link_is_confirmed_by_the_button(
    server: SignalingServer, pages: Pages
) -> None:
    """It says Copied, and then its label again; without a clipboard the link is selected."""
    receiver = await pages.receiver(server, permissions=["clipboard-read", "clipboard-write"])
    button = receiver.locator("#copy")
    await button.click()
    await expect(button).to_have_text("Copied")
    link = await receiver.locator("#link").inner_text()
    assert await receiver.evaluate("navigator.clipboard.readText()") == link
    await expect(button).to_have_text("Copy link")
    await receiver.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    await button.click()
    await expect(button).to_have_text("Press Ctrl+C")
    assert await receiver.evaluate("getSelection().toString()") == link
