/**
 * Opens the dialog of the words, which is loaded at the first time. Imports nothing at the start.
 */

/** @typedef {import("./dialog.js").WordsDialog} WordsDialog */
/** @typedef {import("./dialog.js").Compared} Compared */

/** Whether this browser gives a page what the words need: on pages over plain HTTP it does not. */
export function wordsPossible() {
  return globalThis.crypto?.subtle !== undefined;
}

export class WordsOpener {
  #compared;
  #failed;
  /** @type {Promise<WordsDialog> | null} */
  #loading = null;

  /**
   * @param {() => Compared[] | Promise<Compared[]>} compared what there is to compare when it is asked
   * @param {(sentence: string) => void} failed it could not be loaded
   */
  constructor(compared, failed) {
    this.#compared = compared;
    this.#failed = failed;
  }

  async open() {
    try {
      this.#loading ??= this.#load();
      (await this.#loading).open();
    } catch (error) {
      console.warn("Words:", error);
      this.#loading = null;
      this.#failed("The words could not be loaded: the server does not answer.");
    }
  }

  async #load() {
    const { WordsDialog } = await import("./dialog.js");
    return new WordsDialog(this.#compared);
  }
}
