/**
 * Full screen and picture in picture, as toggles. Imports nothing.
 */

export async function toggleFullscreen() {
  try {
    await (document.fullscreenElement
      ? document.exitFullscreen()
      : document.documentElement.requestFullscreen());
  } catch (error) {
    console.warn(`Full screen was refused: ${error}`);
  }
}

/** @param {HTMLVideoElement | undefined} video the one to show apart */
export async function togglePictureInPicture(video) {
  try {
    await (document.pictureInPictureElement
      ? document.exitPictureInPicture()
      : video?.requestPictureInPicture());
  } catch (error) {
    console.warn(`Picture in picture was refused: ${error}`);
  }
}
