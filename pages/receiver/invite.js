/**
 * The invitation of a phone: QR code, link and Copy button, on the waiting screen or in the dialog.
 * Owns these elements; imports the DOM helpers of view.
 */

import { byId, show, text } from "../lib/page/view.js";

/** @typedef {import("../lib/signaling/protocol.js").Invite} Invite */

/** How long the Copy button says that it worked, in milliseconds. */
const COPIED_FOR = 2000;

export class InviteCard {
  #card = byId("invite-card", HTMLElement);
  #home = byId("invite-home", HTMLElement);
  #dialog = byId("invite-dialog", HTMLDialogElement);
  #link = byId("link", HTMLAnchorElement);
  #copy = byId("copy", HTMLButtonElement);
  #copyLabel = this.#copy.textContent ?? "";
  #timer = 0;

  constructor() {
    this.#copy.addEventListener("click", () => this.#copyLink());
    byId("invite-close", HTMLButtonElement).addEventListener("click", () => this.close());
    this.#dialog.addEventListener("click", (event) => {
      // A click beside the dialog's box has the dialog itself as its target.
      if (event.target === this.#dialog) {
        this.close();
      }
    });
    this.#dialog.addEventListener("close", () => this.#home.append(this.#card));
  }

  /** @param {Invite} invite */
  show({ url, qr }) {
    const image = byId("qr", HTMLImageElement);
    const source = `data:image/svg+xml,${encodeURIComponent(qr)}`;
    if (image.src !== source) {
      image.src = source;
    }
    show(image, true);
    this.#link.href = url;
    text(this.#link, url);
    show(byId("link-row", HTMLElement), true);
    const trust = byId("trust", HTMLAnchorElement);
    trust.href = new URL("/trust", url).href;
    text(trust, trust.href);
    const local = isLocal(new URL(url));
    show(byId("same-network", HTMLElement), local);
    show(byId("certificate", HTMLElement), local && url.startsWith("https:"));
  }

  /** Show it over the video, to bring in one more phone. */
  open() {
    if (!this.#dialog.open) {
      this.#dialog.append(this.#card);
      this.#dialog.showModal();
    }
  }

  close() {
    this.#dialog.close();
  }

  get isOpen() {
    return this.#dialog.open;
  }

  async #copyLink() {
    try {
      await navigator.clipboard.writeText(this.#link.href);
      this.#say("Copied");
    } catch {
      // Refused, or no clipboard without a secure context: the person copies what is selected.
      getSelection()?.selectAllChildren(this.#link);
      this.#say("Press Ctrl+C");
    }
  }

  /** @param {string} label */
  #say(label) {
    text(this.#copy, label);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => text(this.#copy, this.#copyLabel), COPIED_FOR);
  }
}

/**
 * Whether a link leads to a server of this network: by an address or a local name. Its certificate is
 * one that it made itself, as a public one needs a public name.
 * @param {URL} url
 */
function isLocal({ hostname }) {
  const isAddress = hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
  return (
    isAddress || !hostname.includes(".") || /\.(local|lan|internal|home\.arpa)$/.test(hostname)
  );
}
