/**
 * The invitation for a phone: QR code, link and Copy button, on the waiting screen or in the dialog.
 */

import { copyOnClick } from "../lib/page/export.js";
import { byId, closeByBackdrop, show, text } from "../lib/page/view.js";

/** @typedef {import("../lib/signaling/protocol.js").Invite} Invite */

export class InviteCard {
  #card = byId("invite-card", HTMLElement);
  #home = byId("invite-home", HTMLElement);
  #dialog = byId("invite-dialog", HTMLDialogElement);
  #link = byId("link", HTMLAnchorElement);

  constructor() {
    copyOnClick(byId("copy", HTMLButtonElement), {
      content: () => this.#link.href,
      refused: () => {
        getSelection()?.selectAllChildren(this.#link);
        return "Press Ctrl+C";
      },
    });
    byId("invite-close", HTMLButtonElement).addEventListener("click", () => this.close());
    closeByBackdrop(this.#dialog);
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

  /** Show it over the video, to add another phone. */
  open() {
    if (!this.#dialog.open) {
      this.#dialog.append(this.#card);
      this.#dialog.showModal();
    }
  }

  close() {
    this.#dialog.close();
  }
}

/**
 * Whether a link leads to a server on the local network, by an address or a local name. Such a server has made its own
 * certificate, because public ones are only for public names.
 * @param {URL} url
 */
function isLocal({ hostname }) {
  const isAddress = hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
  return (
    isAddress || !hostname.includes(".") || /\.(local|lan|internal|home\.arpa)$/.test(hostname)
  );
}
