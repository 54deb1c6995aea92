/**
 * The dialog that shows the words of each connection, for two people or two screens to compare. Loaded when a person
 * asks for the words.
 */

import { closeByBackdrop, text } from "../page/view.js";
import { certificatesOf, wordsOf } from "./words.js";

/** @typedef {{ label: string, connection: RTCPeerConnection | null }} Compared */

/** How often the dialog looks for new connections, in milliseconds. */
const INTERVAL = 500;

const LEAD =
  "Compare these words on both screens. If they differ, somebody in between, perhaps the server, can see the video. Each new connection has new words.";
const EMPTY = "The words appear as soon as the video is connected.";
const WORKING = "One moment…";

export class WordsDialog {
  #compared;
  #timer = 0;
  #busy = false;
  /** @type {Map<string, string>} words by the certificates that they follow from */
  #known = new Map();

  #close = element("button", "button square quiet words-close");
  #list = element("dl", "words-list");
  #empty = element("p", "words-empty");
  #dialog = element("dialog", "words");

  /**
   * @param {() => Compared[] | Promise<Compared[]>} compared the connections of this moment
   */
  constructor(compared) {
    this.#compared = compared;
    this.#build();
    this.#close.onclick = () => this.#dialog.close();
    closeByBackdrop(this.#dialog);
    this.#dialog.onclose = () => {
      clearInterval(this.#timer);
      this.#known.clear();
    };
  }

  open() {
    if (!this.#dialog.open) {
      this.#dialog.showModal();
      this.#timer = setInterval(() => void this.#update(), INTERVAL);
      void this.#update();
    }
  }

  #build() {
    const title = element("h2", "");
    title.id = "words-title";
    title.textContent = "Compare words";
    const lead = element("p", "words-lead");
    lead.id = "words-lead";
    lead.textContent = LEAD;
    this.#dialog.id = "words";
    this.#dialog.setAttribute("aria-labelledby", title.id);
    this.#dialog.setAttribute("aria-describedby", lead.id);
    this.#close.type = "button";
    this.#close.setAttribute("aria-label", "Close");
    this.#close.append(cross());
    this.#empty.textContent = EMPTY;
    const head = element("header", "words-head");
    head.append(title, this.#close);
    const live = element("div", "");
    live.setAttribute("aria-live", "polite");
    live.append(this.#list, this.#empty);
    const box = element("div", "words-box");
    box.append(head, lead, live);
    this.#dialog.append(box);
    document.body.append(this.#dialog);
  }

  async #update() {
    if (this.#busy) {
      return;
    }
    this.#busy = true;
    try {
      const rows = (await this.#compared()).flatMap(({ label, connection }) => {
        const connected = connection?.connectionState === "connected";
        const certificates = connected ? certificatesOf(connection) : null;
        return certificates === null ? [] : [{ label, certificates }];
      });
      this.#draw(rows);
      for (const { certificates } of rows) {
        if (!this.#known.has(certificates)) {
          this.#known.set(certificates, await wordsOf(certificates));
          this.#draw(rows);
        }
      }
    } finally {
      this.#busy = false;
    }
  }

  /** @param {{ label: string, certificates: string }[]} rows */
  #draw(rows) {
    this.#empty.hidden = rows.length > 0;
    while (this.#list.childElementCount > rows.length) {
      this.#list.lastElementChild?.remove();
    }
    rows.forEach(({ label, certificates }, index) => {
      const row = this.#list.children[index] ?? this.#list.appendChild(emptyRow());
      text(row.children[0], label);
      text(row.children[1], this.#known.get(certificates) ?? WORKING);
    });
  }
}

function emptyRow() {
  const row = element("div", "words-row");
  row.append(element("dt", ""), element("dd", ""));
  return row;
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} className
 */
function element(name, className) {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function cross() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", "m6 6 12 12M18 6 6 18");
  svg.append(path);
  return svg;
}
