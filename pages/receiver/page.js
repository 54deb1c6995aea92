/**
 * The receiver page, and the viewer page, which is the same without invitation and camera controls: joins the room,
 * shows every phone in it, and says what is going on. Connects the parts, which do not know each other.
 */

import { CheckDialog } from "../lib/check/dialog.js";
import { rememberBuffer, rememberedBuffer } from "../lib/media/buffer.js";
import { watchNetwork } from "../lib/page/network.js";
import { toggleFullscreen, togglePictureInPicture } from "../lib/page/screen.js";
import { takeLink } from "../lib/page/settings.js";
import { byId, View } from "../lib/page/view.js";
import { Sampler } from "../lib/stats/sampler.js";
import { WordsOpener } from "../lib/words/opener.js";
import { CameraControls } from "./camera-controls.js";
import { Grid } from "./grid.js";
import { InviteCard } from "./invite.js";
import { Room } from "./room.js";
import { renderStage } from "./stage.js";
import { problemOf } from "./texts.js";
import { Toolbar } from "./toolbar.js";

/** @typedef {import("../lib/signaling/protocol.js").Phase} Phase */
/** @typedef {import("../lib/signaling/protocol.js").Role} Role */
/** @typedef {import("./phone.js").Phone} Phone */

/**
 * @typedef {object} State
 * @property {Phase} phase
 * @property {string | null} error
 * @property {"joining" | "joined" | "lost"} room whether the server has let this page in
 * @property {boolean} stats whether the figures are shown
 * @property {boolean} full whether all of them are
 * @property {number} buffer how long media waits before it is shown, in milliseconds
 * @property {boolean} sound whether a person wants to hear
 */

/** Failed attempts before the page says that the server is gone, when there is no picture to keep. */
const PATIENCE = 4;

const query = new URLSearchParams(location.search);
const clean = query.get("clean") === "1";
const viewer = location.pathname === "/viewer";
const link = takeLink();

/** @type {State} */
const initial = {
  phase: "connecting",
  error: null,
  room: "joining",
  stats: true,
  full: false,
  buffer: rememberedBuffer(),
  // In OBS nobody is there to click, and pages may play sound without a click.
  sound: clean,
};
const view = new View(initial, render);
const grid = new Grid(byId("grid", HTMLElement));
const invite = new InviteCard();
const room = new Room(
  {
    role: /** @type {Role} */ (viewer ? "viewer" : "receiver"),
    link,
    phones: {
      template: byId("tile-template", HTMLTemplateElement),
      relayOnly: query.get("relay") === "1",
      detail: toggleDetail,
      buffer: setBuffer,
    },
  },
  {
    joined: (invitations) => {
      // Whoever came by a link that ends invites nobody.
      const invites = invitations.phone !== undefined;
      document.documentElement.toggleAttribute("data-uninviting", !invites);
      if (invites && !viewer) {
        invite.offer(invitations);
      }
      view.set({ room: "joined", error: null });
      refresh();
    },
    refused: (code, final) => {
      view.set({ error: problemOf(code, final) });
      refresh();
    },
    reconnecting,
    arrived,
    left: (phone) => {
      grid.delete(phone.tile);
      if (room.phones.length === 0) {
        invite.close();
      }
    },
    changed: refresh,
  },
);
const controls = new CameraControls((settings) => room.selected?.control(settings));
const words = new WordsOpener(
  () => room.phones.map(({ label, connection }) => ({ label, connection })),
  (sentence) => console.warn(sentence),
);
const toolbar = new Toolbar({
  mirror: () => room.orient(({ mirrored }) => ({ mirrored: !mirrored })),
  rotate: () => room.orient(({ turns }) => ({ turns: turns + 1 })),
  pip: () => void togglePictureInPicture(room.selected?.tile.video),
  fullscreen: () => void toggleFullscreen(),
  stats: () => view.set({ stats: !view.state.stats }),
  detail: toggleDetail,
  unmute: () => setSound(!isUnmuted()),
  invite: () => invite.open(),
  words: () => void words.open(),
});
const sampler = new Sampler(() => room.phones);
new CheckDialog(viewer ? "viewer page" : "receiver page", () => ({
  signaling: room.signaling.status,
}));

/** Draw the page again after anything changed. */
function refresh() {
  view.set({ phase: view.state.error ? "error" : phaseOf(view.state.room) });
}

/**
 * @param {State["room"]} joined
 * @returns {Phase}
 */
function phaseOf(joined) {
  if (joined === "lost") {
    return "reconnecting";
  }
  const pictures = room.phones.map((phone) => phone.picture);
  if (pictures.includes("live")) {
    return "live";
  }
  if (pictures.includes("paused")) {
    return "paused";
  }
  return joined === "joining" || pictures.length > 0 ? "connecting" : "idle";
}

/** @param {number} attempt */
function reconnecting(attempt) {
  const gone = attempt > PATIENCE && room.phones.length === 0;
  view.set({ room: "lost", error: view.state.error ?? (gone ? "server-gone" : null) });
  refresh();
}

/** @param {Phone} phone */
function arrived(phone) {
  phone.tile.setMuted(!view.state.sound);
  phone.setBuffer(view.state.buffer);
  grid.add(phone.tile);
  invite.close();
}

/** Show all figures, or only the first few. Figures that were hidden come back in full. */
function toggleDetail() {
  const { stats, full } = view.state;
  view.set({ stats: true, full: !stats || !full });
}

/** @param {number} buffer in milliseconds */
function setBuffer(buffer) {
  rememberBuffer(buffer);
  room.phones.forEach((phone) => phone.setBuffer(buffer));
  view.set({ buffer });
}

/** @param {boolean} sound */
function setSound(sound) {
  view.set({ sound });
  room.phones.forEach((phone) => phone.tile.setMuted(!sound));
}

/** Whether any camera can be heard. */
function isUnmuted() {
  return room.phones.some((phone) => phone.sound && !phone.tile.video.muted);
}

/** @param {State} state */
function render({ phase, error, room: joined, stats, full }) {
  const { phones, selected } = room;
  for (const phone of phones) {
    phone.render({ full });
    phone.tile.setSelected(phone === selected, phones.length > 1);
  }
  renderStage({
    phase,
    error,
    viewer,
    hasKey: link.key !== undefined,
    joined: joined === "joined",
    labels: phones.map(({ label }) => label),
    stats,
    full,
  });
  grid.arrange();
  controls.render(viewer ? null : (selected?.camera ?? null));
  toolbar.render({
    ...(selected?.tile.orientation ?? { mirrored: false, turns: 0 }),
    visible: phones.length > 0 && error === null,
    playing: phones.some(({ picture }) => picture === "live"),
    stats,
    sound: phones.some(({ sound }) => sound),
    unmuted: isUnmuted(),
  });
  sampler.run(stats && !clean && phones.length > 0 && document.visibilityState === "visible");
}

function start() {
  const root = document.documentElement;
  root.dataset.role = viewer ? "viewer" : "receiver";
  root.toggleAttribute("data-clean", clean);
  document.addEventListener("visibilitychange", refresh);
  // A link pasted into the same window changes the fragment only, and that alone loads nothing.
  addEventListener("hashchange", () => location.reload());
  if (!("RTCPeerConnection" in window)) {
    view.set({ error: "no-webrtc", phase: "error" });
    return;
  }
  view.set();
  room.open();
  watchNetwork(() => room.move());
}

start();
