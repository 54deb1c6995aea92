/*
 * Begins what needs no module, while the modules are on their way: the WebSocket, the first connection, and the camera
 * where it may be used already. The server puts this text into the page itself; ../lib/page/begun.js hands over what it
 * has begun. Without it the page does the same, later.
 */
(() => {
  if (!window.isSecureContext) {
    return;
  }
  /** @type {import("../lib/page/begun.js").Begun} */
  const begun = (window.lenscastBegun = {});

  async function openPermitted() {
    const name = /** @type {PermissionName} */ ("camera");
    if ((await navigator.permissions.query({ name })).state !== "granted") {
      return null;
    }
    const meta = /** @type {HTMLMetaElement} */ (
      document.querySelector("meta[name='lenscast:video']")
    );
    const { presets, default: preset } = JSON.parse(meta.content);
    const { width, height, frameRate } = presets[preset];
    const video = {
      facingMode: { ideal: "environment" },
      width: { ideal: width },
      height: { ideal: height },
      frameRate: { ideal: frameRate },
    };
    const opening = navigator.mediaDevices.getUserMedia({ video });
    opening.catch(() => {}); // The page tries again, and says what is wrong.
    return { opening };
  }

  begun.camera = openPermitted().catch(() => null);
  try {
    begun.socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}/ws`);
    begun.connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  } catch {
    // The page finds another way, or says what is missing.
  }
})();
