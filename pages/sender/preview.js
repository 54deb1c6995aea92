/**
 * The picture of the open camera on the sender page, and whether it moves.
 */

/** How long an open camera may take to produce a frame, in milliseconds. */
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
 * Whether a track produces pictures. After a phone call on iOS a track may be live and not muted, and still give no
 * new frames.
 * @param {HTMLVideoElement} preview shows the track from now on
 * @param {MediaStreamTrack} track
 * @returns {Promise<boolean>} also true if nobody can tell: in an old browser, or on a hidden page
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
    // The first may be the last frame from before, drawn again.
    let request = preview.requestVideoFrameCallback(() => {
      request = preview.requestVideoFrameCallback(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  });
}
