/**
 * The figures of the last two minutes, and their text for a file or the clipboard. Pure; imports nothing.
 */

/** One row a second, for two minutes. */
export const LENGTH = 120;

/** @typedef {Record<string, number | string | null>} Row one reading; null for what the browser did not give */

export class History {
  /** @type {Row[]} the oldest first */
  #rows = [];

  get rows() {
    return this.#rows;
  }

  /** @param {Row} row */
  add(row) {
    this.#rows.push(row);
    this.#rows.splice(0, this.#rows.length - LENGTH);
  }

  clear() {
    this.#rows = [];
  }

  /**
   * The numbers of one figure, the newest last.
   * @param {string} name
   * @returns {(number | null)[]}
   */
  values(name) {
    return this.#rows.map((row) => {
      const value = row[name];
      return typeof value === "number" ? value : null;
    });
  }
}

/**
 * Write rows as CSV (RFC 4180), with the names of the figures first.
 * @param {readonly Row[]} rows
 */
export function toCsv(rows) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const lines = rows.map((row) => names.map((name) => cell(row[name] ?? null)));
  return [names.map(cell), ...lines].map((line) => `${line.join(",")}\r\n`).join("");
}

/** @param {number | string | null} value */
function cell(value) {
  if (value === null || typeof value === "number") {
    return value === null ? "" : String(value);
  }
  // A spreadsheet would take a text that begins so for a formula; some of it comes from the other side.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
