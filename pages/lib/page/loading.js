/**
 * Loads the rest of a page, also where the network changes or the server is away meanwhile. Imports nothing.
 */

/** Between two attempts, in milliseconds. */
const RETRY_DELAY = 1_000;
/** How long the server may take to answer, in milliseconds. */
const PATIENCE = 5_000;

/**
 * What runs already goes on meanwhile: a picture that is sent is not given up for a module that did not come.
 * @template T
 * @param {() => Promise<T>} importing imports a module, and is called again when a part of it did not come
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
        // A browser may keep the failure of a module for as long as the page lives (whatwg/html issue 6768).
        location.reload();
      }
      await pause(RETRY_DELAY);
    }
  }
}

/** Whether the page was loaded anew already: what fails once more, as in a browser too old, is no reason to go on. */
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

/** Whether the server is there. */
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
