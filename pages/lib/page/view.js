/**
 * A page's one record of state, with one setter and one render, and small helpers for the DOM.
 */

/** @typedef {import("../signaling/protocol.js").Phase} Phase */

/**
 * @typedef {object} Base What the state of every page has.
 * @property {Phase} phase mirrored to `<html data-phase>`, where styles and tests look
 * @property {string | null} error the error's kind, mirrored to `<html data-error>`
 */

/**
 * Holds the state of a page, and draws it after every change.
 * @template {Base} T
 */
export class View {
  /** @type {T} */
  #state;
  /** @type {(state: T) => void} */
  #render;

  /**
   * @param {T} initial
   * @param {(state: T) => void} render draws a state; must not call `set`
   */
  constructor(initial, render) {
    this.#state = initial;
    this.#render = render;
  }

  /** @returns {Readonly<T>} */
  get state() {
    return this.#state;
  }

  /**
   * Change members of the state, and draw it.
   * @param {Partial<T>} changes if left out, the state is drawn as it is
   */
  set(changes = {}) {
    this.#state = { ...this.#state, ...changes };
    const root = document.documentElement;
    mirror(root, "phase", this.#state.phase);
    mirror(root, "error", this.#state.error);
    this.#render(this.#state);
  }
}

/**
 * Write a data attribute, or remove it for null. Writes only what differs.
 * @param {HTMLElement} element
 * @param {string} name as in `dataset`
 * @param {string | null} value
 */
export function mirror(element, name, value) {
  if (value === null) {
    delete element.dataset[name];
  } else if (element.dataset[name] !== value) {
    element.dataset[name] = value;
  }
}

/**
 * The element with this id.
 * @template {Element} T
 * @param {string} id
 * @param {new () => T} kind its class, such as HTMLButtonElement
 * @returns {T}
 * @throws {TypeError} when the page has no such element
 */
export function byId(id, kind) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) {
    throw new TypeError(`The page has no ${kind.name} with the id "${id}".`);
  }
  return element;
}

/**
 * Set an element's text. Writes only what differs: screen readers would read a live region again.
 * @param {Element} element
 * @param {string} value
 */
export function text(element, value) {
  if (element.textContent !== value) {
    element.textContent = value;
  }
}

/**
 * Show or hide an element by the `hidden` attribute.
 * @param {HTMLElement} element
 * @param {boolean} visible
 */
export function show(element, visible) {
  element.hidden = !visible;
}

/**
 * Let a click beside a modal dialog close it.
 * @param {HTMLDialogElement} dialog
 */
export function closeByBackdrop(dialog) {
  dialog.addEventListener("click", ({ target, clientX, clientY }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const inside = clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    // A click on the backdrop has the dialog as its target, but so has one on the dialog's padding.
    if (target === dialog && !inside) {
      dialog.close();
    }
  });
}
