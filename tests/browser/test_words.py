"""The words to compare: four on both pages, the same if nobody is in between."""

from playwright.async_api import Page, expect

from signaling.server import SignalingServer
from tests.browser.pages import Pages, phase


async def words_on_sender(sender: Page) -> str:
    """Ask the sender page for its words."""
    await sender.locator("#settings").click()
    await sender.locator("#words-open").click()
    return await read(sender)


async def words_on_receiver(receiver: Page) -> str:
    """Ask the receiver page for its words, with the keyboard."""
    await receiver.keyboard.press("c")
    return await read(receiver)


async def read(page: Page) -> str:
    """Wait for the words in the dialog."""
    words = page.locator("#words dd")
    await page.wait_for_function(
        "() => /^([a-z]{3,6} ){3}[a-z]{3,6}$/.test("
        "document.querySelector('#words dd')?.textContent ?? '')"
    )
    return await words.inner_text()


async def both(server: SignalingServer, pages: Pages, script: str = "") -> tuple[Page, Page]:
    """Open both pages and wait until they are connected; the receiver page runs a script first."""
    receiver = await pages.receiver(server, script=script)
    sender = await pages.sender(server)
    await phase(sender, "live")
    await phase(receiver, "live")
    return sender, receiver


async def test_both_pages_show_the_same_words(server: SignalingServer, pages: Pages) -> None:
    """Phone and laptop show the same four words, all of them from the list."""
    sender, receiver = await both(server, pages)
    words = await words_on_sender(sender)
    assert words == await words_on_receiver(receiver)
    known = await receiver.evaluate("async () => (await import('/pages/lib/words/list.js')).WORDS")
    assert set(words.split()) <= set(known)


async def test_somebody_in_between_is_seen(server: SignalingServer, pages: Pages) -> None:
    """A receiver that got another fingerprint for the phone shows other words."""
    # With a changed fingerprint DTLS itself refuses, and here nobody in between has a certificate:
    # so only what the page reads is changed.
    changed = """
        const { get } = Object.getOwnPropertyDescriptor(
            RTCPeerConnection.prototype, "currentRemoteDescription");
        Object.defineProperty(RTCPeerConnection.prototype, "currentRemoteDescription", {
            get() {
                const { type, sdp } = get.call(this);
                const swap = (pair) => (pair === "00" ? "01" : "00");
                const changed = sdp.replace(
                    /(fingerprint:sha-256 )(..)/g, (_, name, first) => name + swap(first));
                return { type, sdp: changed };
            },
        });
    """
    sender, receiver = await both(server, pages, changed)
    assert await words_on_sender(sender) != await words_on_receiver(receiver)


async def test_a_new_connection_has_other_words(server: SignalingServer, pages: Pages) -> None:
    """After the phone's page was reloaded, the laptop's open dialog shows the new words."""
    sender, receiver = await both(server, pages)
    before = await words_on_receiver(receiver)
    await sender.reload()
    await phase(sender, "live")
    after = await words_on_sender(sender)
    assert after != before
    await expect(receiver.locator("#words dd")).to_have_text(after)


async def test_the_words_are_loaded_when_asked_for(server: SignalingServer, pages: Pages) -> None:
    """Neither page loads the list earlier."""
    sender, receiver = await both(server, pages)
    fetched = (
        r"performance.getEntriesByType('resource').filter(({ name }) => /words\/list/.test(name))"
    )
    for page in (sender, receiver):
        assert await page.evaluate(f"{fetched}.length") == 0
    await words_on_sender(sender)
    assert await sender.evaluate(f"{fetched}.length") == 1


async def test_without_subtle_crypto_there_is_no_button(
    server: SignalingServer, pages: Pages
) -> None:
    """Without it, as over plain HTTP, neither the button nor the key is there."""
    without = "Object.defineProperty(Crypto.prototype, 'subtle', { get: () => undefined });"
    _sender, receiver = await both(server, pages, without)
    await expect(receiver.locator("#words-open")).to_be_hidden()
    await receiver.keyboard.press("c")
    await expect(receiver.locator("#words")).to_have_count(0)


async def test_the_dialog_is_for_keyboard_and_screen_reader(
    server: SignalingServer, pages: Pages
) -> None:
    """The dialog has a name and a description, closes with Escape, and returns the focus."""
    _sender, receiver = await both(server, pages)
    await receiver.locator("#words-open").focus()
    await receiver.keyboard.press("Enter")
    dialog = receiver.get_by_role("dialog", name="Compare words")
    await expect(dialog).to_be_visible()
    await expect(dialog).to_have_accessible_description(
        "Compare these words on both screens. If they differ, somebody in between, perhaps the"
        " server, can see the video. Each new connection has new words."
    )
    await receiver.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(receiver.locator("#words-open")).to_be_focused()
