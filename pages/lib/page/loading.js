/**
 * Loads the rest of a page, even if the network changes or the server is away for a while.
 */

/** How long to wait between two attempts, in milliseconds. */
const RETRY_DELAY = 1_000;
/** How long the server may take to answer, in milliseconds. */
const PATIENCE = 5_000;

/**
 * Keeps trying until a module has loaded. What runs already goes on, such as the video that a phone is sending.
 * @template T
 * @param {() => Promise<T>} importing imports a module; called again if a part of it did not load
 * @returns {Promise<T>}
 */
export async function loaded(importing) {
  document.documentElement.dataset.running = "";
  for (let answered = false; ; answered = await answers()) {
    try {
      const module = await importing();
      sayMissing(false);
      return module;
    } catch (error) {
      sayMissing(true);
      console.error("A part of the page did not load:", error);
      if (answered && !isReloaded()) {
        // A browser may remember until the next reload that a module failed (whatwg/html issue 6768).
        location.reload();
      }
      await pause(RETRY_DELAY);
    }
  }
}

/** Whether the page has been reloaded already: in a browser that is too old, another reload would not help. */
function isReloaded() {
  const [navigation] = performance.getEntriesByType("navigation");
  return navigation instanceof PerformanceNavigationTiming && navigation.type === "reload";
}

/** @param {boolean} missing */
function sayMissing(missing) {
  const note = document.getElementById("loading");
  if (note) {
    note.hidden = !missing;
  }
}

/** Whether the server answers. */
async function answers() {
  try {
    const signal = AbortSignal.timeout(PATIENCE);
    return (await fetch(location.pathname, { method: "HEAD", cache: "no-store", signal })).ok;
  } catch {
    return false;
  }
}

/** @param {number} milliseconds */
export function pause(milliseconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
