/**
 * A line of the last two minutes, drawn in an SVG element.
 */

const SVG = "http://www.w3.org/2000/svg";

/** In units of the drawing, which is stretched to fill the element. */
const HEIGHT = 20;
/** Space above and below for the width of the line. */
const MARGIN = 1.5;

/**
 * The lines through values, with gaps where there is no value.
 *
 * @param {(number | null)[]} values newest last, which stands at the right edge
 * @param {number} length how many values fit
 * @returns {string[]} each the `points` of a polyline
 */
export function lines(values, length) {
  const shown = values.slice(-length);
  const known = shown.filter((value) => value !== null);
  // From zero, not from the lowest value: otherwise a steady figure would look wild.
  const most = Math.max(...known, 0) || 1;
  /** @type {string[][]} */
  const runs = [[]];
  shown.forEach((value, index) => {
    if (value === null) {
      runs.push([]);
      return;
    }
    const x = length - shown.length + index;
    const y = HEIGHT - MARGIN - (Math.max(value, 0) / most) * (HEIGHT - 2 * MARGIN);
    runs[runs.length - 1].push(`${x},${y.toFixed(2)}`);
  });
  // A single point is drawn as a short line.
  return runs
    .filter((run) => run.length > 0)
    .map((run) => (run.length > 1 ? run : [run[0], run[0].replace(/^\d+/, (x) => `${+x + 1}`)]))
    .map((run) => run.join(" "));
}

/**
 * @param {SVGElement} svg
 * @param {(number | null)[]} values newest last
 * @param {number} length how many values fit
 */
export function drawSparkline(svg, values, length) {
  svg.setAttribute("viewBox", `0 0 ${length} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.replaceChildren(
    ...lines(values, length).map((points) => {
      const line = document.createElementNS(SVG, "polyline");
      line.setAttribute("points", points);
      return line;
    }),
  );
}
