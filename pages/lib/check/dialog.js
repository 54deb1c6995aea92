/**
 * The connection check's dialog: makes its elements, runs the check while it is open, and copies the report.
 */

import { copyOnClick } from "../page/export.js";
import { closeByBackdrop, mirror, show, text } from "../page/view.js";
import { checks, report, runChecks } from "./check.js";
import { STATUS } from "./texts.js";

/** @typedef {import("./check.js").Conditions} Conditions */
/** @typedef {import("./texts.js").Result} Result */

/** @type {Record<Result["status"], string>} the drawing beside the word, 24 by 24 */
const ICONS = {
  running: "M12 3a9 9 0 1 0 9 9",
  ok: "m5 12.5 4.5 4.5L19 7.5",
  partly: "M12 4 2.8 19.5h18.4zM12 10v4.5M12 17v.2",
  problem: "m6 6 12 12M18 6 6 18",
  none: "M6 12h12",
  unclear: "M9 9.5a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.1-1.5 2.4M12 17.5v.2",
  skipped: "M6 12h12",
};

/** @type {Result} */
const RUNNING = { status: "running", text: "" };

export class CheckDialog {
  #page;
  #conditions;
  #run = new AbortController();
  /** @type {Map<string, Row>} by the check's id */
  #rows = new Map();

  #close = button("button square quiet check-close", "");
  #summary = element("p", "check-summary");
  #list = element("ul", "check-list");
  #again = button("button primary", "Run again");
  #copy = button("button", "Copy result");
  #text = element("textarea", "check-text");
  #dialog = element("dialog", "check");

  /**
   * @param {string} page its name, for the report
   * @param {() => Conditions} conditions what the page knows, asked for at the start of each run
   */
  constructor(page, conditions) {
    this.#page = page;
    this.#conditions = conditions;
    this.#build();
    this.#again.onclick = () => this.#start();
    copyOnClick(this.#copy, {
      content: () => report(this.#page, [...this.#rows.values()]),
      refused: (content) => {
        this.#text.value = content;
        show(this.#text, true);
        this.#text.select();
        return "Copy the text above";
      },
    });
    this.#close.onclick = () => this.#dialog.close();
    closeByBackdrop(this.#dialog);
    this.#dialog.onclose = () => this.#run.abort();
    for (const opener of document.querySelectorAll(".check-open")) {
      opener.addEventListener("click", () => this.open());
    }
  }

  /** Show it, and run the check. */
  open() {
    if (!this.#dialog.open) {
      this.#dialog.showModal();
      this.#start();
    }
  }

  #build() {
    const title = element("h2");
    title.id = "check-title";
    title.textContent = "Connection check";
    this.#dialog.id = "check";
    this.#dialog.setAttribute("aria-labelledby", title.id);
    this.#close.setAttribute("aria-label", "Close the connection check");
    this.#close.append(icon(ICONS.problem));
    this.#summary.setAttribute("role", "status");
    this.#text.readOnly = true;
    this.#text.setAttribute("aria-label", "The result as text");
    const head = element("header", "check-head");
    head.append(title, this.#close);
    const actions = element("footer", "check-actions");
    actions.append(this.#copy, this.#again);
    const box = element("div", "check-box");
    box.append(head, this.#summary, this.#list, this.#text, actions);
    this.#dialog.append(box);
    document.body.append(this.#dialog);
  }

  async #start() {
    this.#run.abort();
    const run = new AbortController();
    this.#run = run;
    const list = checks(this.#conditions());
    this.#rows = new Map(list.map(({ id, title }) => [id, new Row(id, title)]));
    this.#list.replaceChildren(...[...this.#rows.values()].map(({ root }) => root));
    show(this.#text, false);
    this.#summarize("running");
    await runChecks(list, run.signal, (id, result) => this.#rows.get(id)?.show(result));
    if (!run.signal.aborted) {
      this.#summarize("done");
    }
  }

  /** @param {"running" | "done"} state mirrored to `data-check` of the dialog */
  #summarize(state) {
    mirror(this.#dialog, "check", state);
    const bad = [...this.#rows.values()].filter(({ result }) =>
      ["problem", "partly"].includes(result.status),
    );
    const found =
      bad.length === 0
        ? "Done. No problems found."
        : `Done. Look at: ${bad.map(({ title }) => title).join(", ")}.`;
    text(this.#summary, state === "running" ? "Checking. This takes up to 8 seconds." : found);
  }
}

/** One check's line in the list. */
class Row {
  root = element("li", "check-row");
  result = RUNNING;
  #sign = element("span", "check-sign");
  #status = element("span", "check-status");
  #words = element("div", "check-words");

  /**
   * @param {string} id
   * @param {string} title
   */
  constructor(id, title) {
    this.title = title;
    this.root.dataset.check = id;
    const name = element("h3", "check-title");
    name.textContent = title;
    this.#sign.setAttribute("aria-hidden", "true");
    this.root.append(this.#sign, name, this.#status, this.#words);
    this.show(RUNNING);
  }

  /** @param {Result} result */
  show(result) {
    this.result = result;
    mirror(this.root, "status", result.status);
    this.#sign.replaceChildren(icon(ICONS[result.status]));
    text(this.#status, STATUS[result.status]);
    const said = paragraph(result.text, "");
    const advice = result.advice && paragraph(result.advice, "muted");
    const link = result.link && newTab(result.link);
    this.#words.replaceChildren(...[said, advice, link].filter((part) => part instanceof Element));
  }
}

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {string} [className]
 */
function element(name, className = "") {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

/**
 * @param {string} className
 * @param {string} label
 */
function button(className, label) {
  const made = element("button", className);
  made.type = "button";
  made.textContent = label;
  return made;
}

/**
 * @param {string} words
 * @param {string} className
 */
function paragraph(words, className) {
  const made = element("p", className);
  made.textContent = words;
  return made;
}

/**
 * A link that opens in a new tab, so that this page stays open.
 * @param {{ text: string, href: string }} link
 */
function newTab({ text: label, href }) {
  const made = element("a");
  made.textContent = label;
  made.href = href;
  made.target = "_blank";
  made.rel = "noopener";
  return made;
}

/** @param {string} path */
function icon(path) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("viewBox", "0 0 24 24");
  const line = document.createElementNS(svg.namespaceURI, "path");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
