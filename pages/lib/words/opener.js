/**
 * Opens the dialog of the words, which is loaded the first time that somebody asks for it.
 */

/** @typedef {import("./dialog.js").WordsDialog} WordsDialog */
/** @typedef {import("./dialog.js").Compared} Compared */

/** Whether this browser gives the page what the words need: over plain HTTP it does not. */
export function wordsPossible() {
  return globalThis.crypto?.subtle !== undefined;
}

export class WordsOpener {
  #compared;
  #failed;
  /** @type {Promise<WordsDialog> | null} */
  #loading = null;

  /**
   * @param {() => Compared[] | Promise<Compared[]>} compared the connections of the moment when it is asked
   * @param {(sentence: string) => void} failed the dialog could not be loaded
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
      this.#failed("The words could not be loaded because the server does not answer.");
    }
  }

  async #load() {
    const { WordsDialog } = await import("./dialog.js");
    return new WordsDialog(this.#compared);
  }
}
