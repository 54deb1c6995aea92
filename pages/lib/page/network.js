/**
 * Tells when this device has moved to another network, as far as the browser says so. Imports nothing.
 */

/** @typedef {EventTarget & { type?: string }} NetworkInformation Where the browser has it: TypeScript lacks it. */

/** @param {() => void} moved */
export function watchNetwork(moved) {
  window.addEventListener("online", moved);
  const connection = /** @type {{ connection?: NetworkInformation }} */ (navigator).connection;
  let kind = connection?.type;
  connection?.addEventListener("change", () => {
    // It also tells of estimates of the speed, many times.
    if (connection.type !== kind) {
      kind = connection.type;
      moved();
    }
  });
}
