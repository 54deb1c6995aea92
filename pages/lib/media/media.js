/**
 * The camera and the microphone. Knows neither pages nor peers.
 */

/** @typedef {import("../signaling/protocol.js").Facing} Facing */
/** @typedef {import("../signaling/protocol.js").Priority} Priority */
/** @typedef {"camera-refused" | "no-camera" | "camera-busy" | "insecure"} MediaErrorKind */

/**
 * @typedef {object} CameraWish
 * What to open. `deviceId` wins over `facing`; sizes in pixels are of the long and the short side.
 * @property {string} [deviceId]
 * @property {Facing} [facing]
 * @property {number} width
 * @property {number} height
 * @property {number} frameRate
 */

/** A camera or microphone could not be opened; `kind` says why. */
export class MediaError extends Error {
  /**
   * @param {MediaErrorKind} kind
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(kind, message, cause) {
    super(message, { cause });
    this.name = "MediaError";
    this.kind = kind;
  }
}

/**
 * Whether the camera may be used. "unknown" where the browser does not say.
 * @returns {Promise<PermissionState | "unknown">}
 */
export async function cameraPermission() {
  try {
    const name = /** @type {PermissionName} */ ("camera");
    return (await navigator.permissions.query({ name })).state;
  } catch {
    // Older browsers lack the API or do not know this name (Firefox before 131).
    return "unknown";
  }
}

/**
 * Open a camera. Size and rate are wishes; without a camera of the wanted facing any other is taken.
 * @param {CameraWish} wish
 * @returns {Promise<MediaStreamTrack>}
 * @throws {MediaError}
 */
export async function openCamera(wish) {
  try {
    return await open({ video: cameraConstraints(wish) });
  } catch (error) {
    // A remembered deviceId may be of a camera that is gone: only an exact one can be too much.
    if (error instanceof DOMException && error.name === "OverconstrainedError") {
      return openCamera({ ...wish, deviceId: undefined });
    }
    throw classify(error);
  }
}

/**
 * The constraints for getUserMedia and applyConstraints.
 * @param {CameraWish} wish
 * @returns {MediaTrackConstraints}
 */
export function cameraConstraints({ deviceId, facing, width, height, frameRate }) {
  return {
    ...(deviceId ? { deviceId: { exact: deviceId } } : { facingMode: { ideal: facing ?? "user" } }),
    width: { ideal: width },
    height: { ideal: height },
    frameRate: { ideal: frameRate },
  };
}

/**
 * Tell the encoder what matters in this picture. Does nothing where that is not supported.
 * @param {MediaStreamTrack} track
 * @param {Priority} priority
 */
export function hintContent(track, priority) {
  track.contentHint = priority === "sharp" ? "detail" : "motion";
}

/**
 * Open the microphone, with the browser's echo cancellation and noise suppression.
 * @returns {Promise<MediaStreamTrack>}
 * @throws {MediaError} its kind speaks of the camera, its message does not
 */
export async function openMicrophone() {
  try {
    return await open({
      audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
    });
  } catch (error) {
    throw classify(error);
  }
}

/**
 * The cameras of this device. Labels are empty until the permission was given once.
 * @returns {Promise<MediaDeviceInfo[]>}
 */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput" && device.deviceId !== "");
}

/**
 * Which way a camera looks: what the track says, else what the label says.
 * @param {MediaStreamTrack} track
 * @returns {Facing | undefined}
 */
export function facingOf(track) {
  const said = track.getSettings().facingMode;
  if (said === "user" || said === "environment") {
    return said;
  }
  if (/\b(front|user|face ?time)\b/i.test(track.label)) {
    return "user";
  }
  return /\b(back|rear|environment)\b/i.test(track.label) ? "environment" : undefined;
}

/** @param {MediaStreamConstraints} constraints */
async function open(constraints) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw window.isSecureContext
      ? new MediaError("no-camera", "This browser gives pages no access to cameras.")
      : new MediaError("insecure", "Browsers give the camera to pages opened over https only.");
  }
  const stream = await navigator.mediaDevices.getUserMedia(constraints);
  return stream.getTracks()[0];
}

/**
 * @param {unknown} error what getUserMedia threw
 * @returns {MediaError}
 */
function classify(error) {
  if (error instanceof MediaError) {
    return error;
  }
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") {
    return new MediaError("camera-refused", "The permission was not given.", error);
  }
  if (name === "NotFoundError" || name === "OverconstrainedError") {
    return new MediaError("no-camera", "No such device was found.", error);
  }
  // NotReadableError, AbortError, and what a driver makes of them.
  return new MediaError("camera-busy", "The device could not be started.", error);
}
