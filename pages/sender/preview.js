/**
 * The picture of the open camera on the sender page, and whether it moves. Owns the preview's track; imports nothing.
 */

/** How long an open camera may take to give a frame, in milliseconds. */
const FRAME_TIMEOUT = 2_000;

/**
 * @param {HTMLVideoElement} preview
 * @param {MediaStreamTrack | null} track
 */
export function showTrack(preview, track) {
  const current = preview.srcObject instanceof MediaStream ? preview.srcObject : null;
  if ((current?.getVideoTracks()[0] ?? null) !== track) {
    preview.srcObject = track && new MediaStream([track]);
  }
}

/**
 * Whether a track gives pictures. After a phone call on iOS there are tracks that are live, not muted, and stand still.
 * @param {HTMLVideoElement} preview shows the track from now
 * @param {MediaStreamTrack} track
 * @returns {Promise<boolean>} true also where that cannot be told: in an old browser, on a hidden page
 */
export async function delivers(preview, track) {
  showTrack(preview, track);
  // The system may have paused it along with the page.
  preview.play().catch((error) => console.warn("Preview:", error));
  if (!("requestVideoFrameCallback" in preview)) {
    return true;
  }
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      preview.cancelVideoFrameCallback(request);
      resolve(document.hidden);
    }, FRAME_TIMEOUT);
    // One alone may be the last frame from before, drawn once more.
    let request = preview.requestVideoFrameCallback(() => {
      request = preview.requestVideoFrameCallback(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  });
}
