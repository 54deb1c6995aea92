/**
 * The figures of the last two minutes, and their text for a file. Pure.
 */

/** One row a second, for two minutes. */
export const LENGTH = 120;

/** @typedef {Record<string, number | string | null>} Row one reading; null for what the browser does not give */

export class History {
  /** @type {Row[]} oldest first */
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
   * The numbers of one figure, newest last.
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
 * Write rows as CSV (RFC 4180), with the names of the figures in the first row.
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
  // A spreadsheet would read text that starts like this as a formula, and some of it comes from the other side.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
