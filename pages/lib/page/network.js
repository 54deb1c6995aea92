/**
 * Notices that this device has moved to another network, as far as the browser says so.
 */

/** @typedef {EventTarget & { type?: string }} NetworkInformation Not in every browser; TypeScript lacks it. */

/** @param {() => void} moved */
export function watchNetwork(moved) {
  window.addEventListener("online", moved);
  const connection = /** @type {{ connection?: NetworkInformation }} */ (navigator).connection;
  let kind = connection?.type;
  connection?.addEventListener("change", () => {
    // This event also comes with every new estimate of the speed.
    if (connection.type !== kind) {
      kind = connection.type;
      moved();
    }
  });
}
