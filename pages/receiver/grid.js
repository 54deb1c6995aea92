/**
 * Arranges the tiles in as many columns as make the pictures largest.
 */

/**
 * How many columns make `count` pictures as large as possible.
 *
 * @param {number} count
 * @param {number} width of the stage, pixels
 * @param {number} height of the stage, pixels
 * @param {number} aspect width by height of a picture
 * @returns {number} at least 1
 */
export function columnsFor(count, width, height, aspect) {
  let best = { columns: 1, size: 0 };
  for (let columns = 1; columns <= count; columns += 1) {
    const rows = Math.ceil(count / columns);
    const size = Math.min(width / columns, (height / rows) * aspect);
    if (size > best.size) {
      best = { columns, size };
    }
  }
  return best.columns;
}

/** @typedef {{ root: HTMLElement, aspect: number }} Placed */

export class Grid {
  #element;
  /** @type {Placed[]} */
  #tiles = [];

  /** @param {HTMLElement} element a CSS grid */
  constructor(element) {
    this.#element = element;
    new ResizeObserver(() => this.arrange()).observe(element);
  }

  /** @param {Placed} tile */
  add(tile) {
    this.#tiles.push(tile);
    this.#element.append(tile.root);
    this.arrange();
  }

  /** @param {Placed} tile */
  delete(tile) {
    this.#tiles = this.#tiles.filter((other) => other !== tile);
    this.arrange();
  }

  /** Lay the tiles out again, as when a picture has another shape. */
  arrange() {
    const count = this.#tiles.length;
    const { clientWidth, clientHeight } = this.#element;
    const aspect = this.#tiles.reduce((sum, tile) => sum + tile.aspect, 0) / Math.max(count, 1);
    const columns = columnsFor(count, clientWidth, clientHeight, aspect);
    // Every tile spans two tracks, so that an incomplete last row can be centred.
    this.#element.style.setProperty("--tracks", String(columns * 2));
    const last = count % columns;
    this.#tiles.forEach(({ root }, index) => {
      const startsLastRow = last > 0 && index === count - last;
      root.style.gridColumnStart = startsLastRow ? String(columns - last + 1) : "";
    });
  }
}
