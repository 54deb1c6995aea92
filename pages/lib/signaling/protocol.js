/**
 * The wire protocol's types, as docs/protocol.md describes them.
 * Imports nothing; knows no page and no socket.
 */

/** @typedef {"sender" | "receiver"} Role */

/**
 * What a page shows; mirrored to `<html data-phase>`.
 * @typedef {"idle" | "asking" | "connecting" | "live" | "paused" | "reconnecting" | "ended" | "error"} Phase
 */

/** @typedef {"user" | "environment"} Facing */
/** @typedef {"sharp" | "smooth"} Priority What is kept where not both can be had: resolution or frame rate. */
/** @typedef {"auto" | "h264" | "vp8" | "vp9" | "av1"} Codec What is preferred; VP8 is always offered as well. */

/** @typedef {{ iceServers: RTCIceServer[] }} TurnConfig */
/** @typedef {{ id: string, role: Role, name?: string, away?: boolean }} PeerInfo */
/** @typedef {{ url: string, qr: string }} Invite `qr` is an SVG document. */

/**
 * @typedef {object} CameraState
 * What a sender tells of its camera; every member may be missing, sizes are in pixels.
 * @property {"live" | "paused"} [status]
 * @property {string} [camera]
 * @property {Facing} [facing]
 * @property {string | null} [preset]
 * @property {number} [width]
 * @property {number} [height]
 * @property {number} [frameRate]
 * @property {boolean} [microphone]
 * @property {string[]} [presets]
 * @property {Priority} [priority]
 * @property {Codec} [codec] the choice, not what it led to
 * @property {Codec[]} [codecs] those that may be asked for
 * @property {string} [reason] why it is paused
 * @property {string} [notice] a sentence for a person, or ""
 */

/**
 * @typedef {object} ControlSettings
 * What a receiver asks a sender for.
 * @property {string} [preset]
 * @property {Facing} [facing]
 * @property {boolean} [microphone]
 * @property {Priority} [priority]
 * @property {Codec} [codec]
 * @property {true | "anew"} [restart] find another way for the media, or make the whole connection anew
 */

/**
 * @typedef {object} Registered
 * @property {"registered"} type
 * @property {Role} role
 * @property {TurnConfig} turnConfig
 * @property {string} [id]
 * @property {string} [room]
 * @property {PeerInfo[]} [peers]
 * @property {string} [resume] the token to come back with
 * @property {boolean} [resumed] this is the same peer as before
 * @property {Invite} [invite]
 */

/** @typedef {{ type: "register", role: Role, room?: string, key?: string, name?: string, resume?: string }} Register */
/** @typedef {{ type: "peer-connected", peer: Role, id: string, name?: string }} PeerConnected */
/** @typedef {{ type: "peer-disconnected", peer: Role, id: string, reason?: string }} PeerDisconnected */
/** @typedef {{ type: "offer", sdp: string, to?: string, from?: string }} Offer */
/** @typedef {{ type: "answer", sdp: string, to?: string, from?: string }} Answer */
/** @typedef {{ type: "ice-candidate", candidate: RTCIceCandidateInit | null, to?: string, from?: string }} IceCandidate */
/** @typedef {{ type: "control", settings: ControlSettings, to?: string, from?: string }} Control */
/** @typedef {{ type: "state", state: CameraState, to?: string, from?: string }} State */
/** @typedef {{ type: "turn-config", turnConfig: TurnConfig }} TurnConfigMessage */
/** @typedef {{ type: "error", message: string, code?: string }} ErrorMessage */

/** @typedef {Offer | Answer | IceCandidate} Negotiation The messages that make one connection. */
/** @typedef {Negotiation | Control | State} Routed */
/** @typedef {Register | Routed} ClientMessage */
/** @typedef {Registered | PeerConnected | PeerDisconnected | Routed | TurnConfigMessage | ErrorMessage} ServerMessage */

export {};
