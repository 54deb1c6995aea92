/** Opens the camera and calls the receiver whose name is in the fragment; both begin at once. */

/* global Peer */

import { options } from "./options.js";

const peer = new Peer(options);
const opened = new Promise((resolve) => peer.on("open", resolve));
const [stream] = await Promise.all([
  navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30 } },
  }),
  opened,
]);
document.querySelector("video").srcObject = stream;
peer.call(location.hash.slice(1), stream);
