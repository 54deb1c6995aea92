/** Waits for one call under the name in the fragment and shows its picture. */

/* global Peer */

import { options } from "./options.js";

const peer = new Peer(location.hash.slice(1), options);
peer.on("open", () => {
  document.documentElement.dataset.phase = "idle";
});
peer.on("call", (call) => {
  call.on("stream", (stream) => {
    // PeerJS tells of a stream once for each of its tracks.
    const video = document.querySelector("video");
    if (video.srcObject !== stream) {
      video.srcObject = stream;
    }
  });
  call.answer();
});
