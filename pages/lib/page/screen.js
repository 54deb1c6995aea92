/**
 * Switches full screen and picture-in-picture on and off.
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

/** @param {HTMLVideoElement | undefined} video to show in a window of its own */
export async function togglePictureInPicture(video) {
  try {
    await (document.pictureInPictureElement
      ? document.exitPictureInPicture()
      : video?.requestPictureInPicture());
  } catch (error) {
    console.warn(`Picture-in-picture was refused: ${error}`);
  }
}
