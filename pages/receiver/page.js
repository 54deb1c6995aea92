/**
 * The receiver page: joins the room, shows every phone in it, and says what is going on.
 * Wires the parts, which do not know each other.
 */

import { CheckDialog } from "../lib/check/dialog.js";
import { watchNetwork } from "../lib/page/network.js";
import { readFragment } from "../lib/page/settings.js";
import { rememberBuffer, rememberedBuffer } from "../lib/media/buffer.js";
import { CameraControls } from "./camera-controls.js";
import { Grid } from "./grid.js";
import { InviteCard } from "./invite.js";
import { Sampler } from "../lib/stats/sampler.js";
import { toggleFullscreen, togglePictureInPicture } from "../lib/page/screen.js";
import { Sender } from "./phone.js";
import { renderStage } from "./stage.js";
import { problemOf } from "./texts.js";
import { Toolbar } from "./toolbar.js";
import { Signaling } from "../lib/signaling/signaling.js";
import { byId, View } from "../lib/page/view.js";
import { WordsOpener } from "../lib/words/opener.js";

/** @typedef {import("../lib/signaling/protocol.js").PeerInfo} PeerInfo */
/** @typedef {import("../lib/signaling/protocol.js").Phase} Phase */
/** @typedef {import("../lib/signaling/protocol.js").ServerMessage} ServerMessage */
/** @typedef {import("./tile.js").Orientation} Orientation */

/**
 * @typedef {object} State
 * @property {Phase} phase
 * @property {string | null} error
 * @property {"joining" | "joined" | "lost"} room whether the server has let this page in
 * @property {boolean} stats whether the figures are shown
 * @property {boolean} full whether these are all of them
 * @property {number} buffer how long media waits before it is shown, in milliseconds
 * @property {boolean} sound whether a person wants to hear
 */

/** Attempts in vain before the page says that the server is gone, when there is no picture to keep. */
const PATIENCE = 4;

const query = new URLSearchParams(location.search);
const clean = query.get("clean") === "1";
const relayOnly = query.get("relay") === "1";
const link = readFragment(location.hash);

/** @type {Map<string, Sender>} by the peer's id */
const senders = new Map();
/** @type {Map<string, Orientation>} by the phone's key: a phone that comes back stands as it stood */
const orientations = new Map();
/** @type {RTCIceServer[]} */
let iceServers = [];
/** @type {Sender | null} the one that the toolbar acts on */
let selected = null;

/** @type {State} */
const initial = {
  phase: "connecting",
  error: null,
  room: "joining",
  stats: true,
  full: false,
  buffer: rememberedBuffer(),
  // A page in OBS has nobody to click, and is allowed to sound by itself.
  sound: clean,
};
const view = new View(initial, render);
const template = byId("tile-template", HTMLTemplateElement);
const grid = new Grid(byId("grid", HTMLElement));
const invite = new InviteCard();
const camera = new CameraControls((settings) => selected?.control(settings));
const toolbar = new Toolbar({
  mirror: () => orient(({ mirrored }) => ({ mirrored: !mirrored })),
  rotate: () => orient(({ turns }) => ({ turns: turns + 1 })),
  pip: () => void togglePictureInPicture(selected?.tile.video),
  fullscreen: () => void toggleFullscreen(),
  stats: () => view.set({ stats: !view.state.stats }),
  detail: toggleDetail,
  unmute: () => setSound(!isUnmuted()),
  invite: () => invite.open(),
  words: () => void words.open(),
});
const words = new WordsOpener(
  () => [...senders.values()].map(({ label, connection }) => ({ label, connection })),
  (sentence) => console.warn(sentence),
);
const sampler = new Sampler(() => [...senders.values()]);
const signaling = new Signaling(
  { role: "receiver", ...link },
  { registered, message, refused, reconnecting },
);
new CheckDialog("receiver page", () => ({ signaling: signaling.status }));

/** Draw anew after anything changed. */
function refresh() {
  const { error, room } = view.state;
  view.set({ phase: error ? "error" : phaseOf(room) });
}

/**
 * @param {State["room"]} room
 * @returns {Phase}
 */
function phaseOf(room) {
  if (room === "lost") {
    return "reconnecting";
  }
  const pictures = [...senders.values()].map((sender) => sender.picture);
  if (pictures.includes("live")) {
    return "live";
  }
  if (pictures.includes("paused")) {
    return "paused";
  }
  return room === "joining" || senders.size > 0 ? "connecting" : "idle";
}

/** @param {import("../lib/signaling/signaling.js").Welcome} welcome */
function registered(welcome) {
  iceServers = welcome.turnConfig.iceServers;
  if (welcome.invite) {
    invite.show(welcome.invite);
  }
  const present = new Set((welcome.peers ?? []).map((peer) => peer.id));
  for (const [id, sender] of senders) {
    sender.setIceServers(iceServers);
    if (present.has(id)) {
      // Where it sees a new receiver it makes a new offer; until then the old picture runs on.
      if (welcome.resumed) {
        sender.greet();
      }
    } else if (welcome.resumed && sender.connected) {
      sender.expect(welcome.limits.resume * 1000);
    } else {
      remove(id);
    }
  }
  welcome.peers?.filter((peer) => peer.role === "sender").forEach(add);
  view.set({ room: "joined", error: null });
  refresh();
}

/** @param {ServerMessage} received */
function message(received) {
  switch (received.type) {
    case "peer-connected":
      if (received.peer === "sender") {
        add(received);
        senders.get(received.id)?.greet();
      }
      break;
    case "peer-disconnected":
      // Who was only cut off from the server may come back; its picture runs on.
      if (received.reason !== "away") {
        remove(received.id);
      }
      break;
    case "offer":
    case "ice-candidate":
      from(received)?.receive(received);
      break;
    case "state":
      from(received)?.setCamera(received.state);
      break;
    case "turn-config":
      iceServers = received.turnConfig.iceServers;
      senders.forEach((sender) => sender.setIceServers(iceServers));
      break;
    case "error":
      console.warn(`The server refused a message: ${received.code ?? ""} ${received.message}`);
      break;
  }
  refresh();
}

/** Replace a connection to the server that may be dead without knowing: no picture comes any more. */
function reopen() {
  const watching = [...senders.values()].some((sender) => sender.flowing);
  if (!watching && signaling.status.registered) {
    signaling.open();
  }
}

/** This laptop may be in another network: what stands on the old one may not say so for minutes. */
function moved() {
  signaling.open();
  // These wait for the new connection.
  senders.forEach((sender) => sender.restart());
}

/** @param {{ from?: string }} routed */
function from(routed) {
  return routed.from === undefined ? undefined : senders.get(routed.from);
}

/**
 * @param {string} code
 * @param {string} _sentence
 * @param {boolean} final
 */
function refused(code, _sentence, final) {
  if (final) {
    [...senders.keys()].forEach(remove);
  }
  view.set({ error: problemOf(code, final) });
  refresh();
}

/** @param {number} attempt */
function reconnecting(attempt) {
  const inVain = attempt > PATIENCE && senders.size === 0;
  view.set({ room: "lost", error: view.state.error ?? (inVain ? "server-gone" : null) });
  refresh();
}

/** @param {Pick<PeerInfo, "id" | "name">} peer */
function add({ id, name }) {
  if (senders.has(id)) {
    return;
  }
  const sender = new Sender({
    id,
    name,
    iceServers,
    relayOnly,
    template,
    send: (outgoing) => signaling.send(outgoing),
    change: refresh,
    interrupted: reopen,
    lost: () => {
      remove(id);
      refresh();
    },
    detail: toggleDetail,
    buffer: setBuffer,
    select: () => {
      selected = senders.get(id) ?? selected;
      refresh();
    },
  });
  sender.tile.setMuted(!view.state.sound);
  sender.setBuffer(view.state.buffer);
  sender.tile.orient(orientations.get(sender.key) ?? {});
  senders.set(id, sender);
  selected ??= sender;
  grid.add(sender.tile);
  invite.close();
}

/** @param {string} id */
function remove(id) {
  const sender = senders.get(id);
  if (!sender) {
    return;
  }
  senders.delete(id);
  grid.delete(sender.tile);
  sender.close();
  if (selected === sender) {
    selected = senders.values().next().value ?? null;
  }
  if (senders.size === 0) {
    invite.close();
  }
}

/** @param {(now: Orientation) => Partial<Orientation>} change */
function orient(change) {
  if (selected) {
    selected.tile.orient(change(selected.tile.orientation));
    orientations.set(selected.key, selected.tile.orientation);
    refresh();
  }
}

/** All figures, or the first few; hidden ones come out in full. */
function toggleDetail() {
  const { stats, full } = view.state;
  view.set({ stats: true, full: !stats || !full });
}

/** @param {number} buffer in milliseconds */
function setBuffer(buffer) {
  rememberBuffer(buffer);
  senders.forEach((sender) => sender.setBuffer(buffer));
  view.set({ buffer });
}

/** @param {boolean} sound */
function setSound(sound) {
  view.set({ sound });
  senders.forEach((sender) => sender.tile.setMuted(!sound));
}

/** Whether any camera can be heard. */
function isUnmuted() {
  return [...senders.values()].some((sender) => sender.sound && !sender.tile.video.muted);
}

/** @param {State} state */
function render({ phase, error, room, stats, full }) {
  const all = [...senders.values()];
  const orientation = selected?.tile.orientation ?? { mirrored: false, turns: 0 };
  for (const sender of all) {
    sender.render({ full });
    sender.tile.setSelected(sender === selected, all.length > 1);
  }
  renderStage({
    phase,
    error,
    hasKey: link.key !== undefined,
    joined: room === "joined",
    labels: all.map((sender) => sender.label),
    stats,
    full,
  });
  grid.arrange();
  camera.render(selected?.camera ?? null);
  toolbar.render({
    ...orientation,
    visible: all.length > 0 && error === null,
    playing: all.some((sender) => sender.picture === "live"),
    stats,
    sound: all.some((sender) => sender.sound),
    unmuted: isUnmuted(),
  });
  sampler.run(stats && !clean && all.length > 0 && document.visibilityState === "visible");
}

function start() {
  document.documentElement.toggleAttribute("data-clean", clean);
  document.addEventListener("visibilitychange", refresh);
  // A link pasted into the same window changes the fragment only, and loads nothing by itself.
  addEventListener("hashchange", () => location.reload());
  if (!("RTCPeerConnection" in window)) {
    view.set({ error: "no-webrtc", phase: "error" });
    return;
  }
  view.set();
  signaling.open();
  watchNetwork(moved);
}

start();
