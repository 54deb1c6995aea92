/**
 * The invitations for a phone and for somebody who only watches: QR code, link and Copy button, on the waiting screen or
 * in the dialog.
 */

import { copyOnClick } from "../lib/page/export.js";
import { byId, closeByBackdrop, show, text } from "../lib/page/view.js";

/** @typedef {import("../lib/signaling/protocol.js").Invite} Invite */
/** @typedef {import("./room.js").Invitations} Invitations */
/** @typedef {keyof Invitations} Guest */

/** @type {Record<Guest, { title: string, lead: string, network: string, code: string }>} */
const TEXTS = {
  phone: {
    title: "Scan this with your phone’s camera",
    lead: "The code opens a page that sends the phone’s camera to this window. You do not have to install anything.",
    network: "The phone must be on the same network as this laptop.",
    code: "QR code of the phone's link. Scan it with the phone's camera.",
  },
  viewer: {
    title: "Let somebody watch",
    lead: "Whoever opens this link sees the video. They cannot control the phone or invite others.",
    network: "They must be on the same network as this laptop.",
    code: "QR code of the link for those who only watch.",
  },
};

export class InviteCard {
  #card = byId("invite-card", HTMLElement);
  #home = byId("invite-home", HTMLElement);
  #dialog = byId("invite-dialog", HTMLDialogElement);
  #link = byId("link", HTMLAnchorElement);
  #choice = byId("invite-for", HTMLFieldSetElement);
  /** @type {Invitations} */
  #invitations = {};
  /** @type {Guest} */
  #guest = "phone";
  /** @type {Map<string, string>} the addresses of the pictures of the codes, by link */
  #codes = new Map();
  #shown = "";

  constructor() {
    this.#choice.addEventListener("change", ({ target }) => {
      if (target instanceof HTMLInputElement) {
        this.#guest = target.value === "viewer" ? "viewer" : "phone";
        this.#draw();
      }
    });
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

  /** @param {Invitations} invitations what this page may hand out */
  offer(invitations) {
    this.#invitations = invitations;
    show(this.#choice, invitations.viewer !== undefined);
    this.#draw();
  }

  #draw() {
    const invite = this.#invitations[this.#guest] ?? this.#invitations.phone;
    if (invite) {
      this.#show(invite);
    }
  }

  /** @param {Invite} invite */
  #show({ url }) {
    const { title, lead, network, code } = TEXTS[this.#guest];
    text(byId("same-network", HTMLElement), network);
    text(byId("waiting-title", HTMLElement), title);
    text(byId("invite-lead-text", HTMLElement), lead);
    this.#shown = this.#link.href = url;
    byId("qr", HTMLImageElement).alt = code;
    void this.#showCode(url);
    text(this.#link, url);
    show(byId("link-row", HTMLElement), true);
    const trust = byId("trust", HTMLAnchorElement);
    trust.href = new URL("/trust", url).href;
    text(trust, trust.href);
    const local = isLocal(new URL(url));
    show(byId("same-network", HTMLElement), local);
    show(byId("certificate", HTMLElement), local && url.startsWith("https:"));
  }

  /**
   * The server draws the code, on demand. Until it is there, or if it cannot be had, the link alone is shown: never
   * the code of another one.
   * @param {string} url
   */
  async #showCode(url) {
    const image = byId("qr", HTMLImageElement);
    show(image, this.#codes.has(url));
    const source = this.#codes.get(url) ?? (await draw(url));
    if (source === null || this.#shown !== url) {
      return;
    }
    this.#codes.set(url, source);
    if (image.src !== source) {
      image.src = source;
    }
    show(image, true);
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

/**
 * @param {string} url
 * @returns {Promise<string | null>} the address of a picture of its QR code; null if there is none now
 */
async function draw(url) {
  try {
    const answer = await fetch("/api/qr", { method: "POST", body: url });
    return answer.ok ? `data:image/svg+xml,${encodeURIComponent(await answer.text())}` : null;
  } catch {
    return null;
  }
}
