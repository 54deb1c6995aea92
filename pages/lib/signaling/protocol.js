/** The wire protocol's types, as docs/protocol.md describes them. */

/** @typedef {string} Role one of the room type's: "sender", "receiver" and "viewer" in a camera room */
/** @typedef {any} Json any value that JSON can hold */

/**
 * What a page shows; mirrored to `<html data-phase>`.
 * @typedef {"idle" | "asking" | "connecting" | "live" | "paused" | "reconnecting" | "ended" | "error"} Phase
 */

/** @typedef {"user" | "environment"} Facing */
/** @typedef {"sharp" | "smooth"} Priority What to keep when there is not enough for both: resolution or frame rate. */
/** @typedef {"auto" | "h264" | "vp8" | "vp9" | "av1"} Codec The preferred one; VP8 is always offered as well. */

/** @typedef {{ iceServers: RTCIceServer[] }} TurnConfig */
/** @typedef {{ url: string }} Invite A link that brings others in. */

/**
 * @typedef {object} PeerInfo
 * @property {string} id
 * @property {Role} role
 * @property {string} [name]
 * @property {boolean} [away] cut off, and may come back
 * @property {boolean} [offers] whether the recipient of this makes the offers to that peer
 */

/**
 * @typedef {object} Limits
 * @property {number} resume how long the server keeps the place of a peer that is away, in seconds
 * @property {number} rate how many messages a client may send in a second
 * @property {number} burst and how many at once
 */

/**
 * @typedef {object} CameraState
 * What a sender says about its camera; every member may be missing, sizes are in pixels.
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
 * @property {Codec} [codec] what was chosen, which may not be what is in use
 * @property {Codec[]} [codecs] those that can be asked for
 * @property {string} [reason] why it is paused
 * @property {string} [notice] a sentence for a person, or ""
 * @property {boolean} [control] false: the person at the camera lets nobody control it from afar
 */

/**
 * @typedef {object} ControlSettings
 * What a receiver asks a sender for.
 * @property {string} [preset]
 * @property {Facing} [facing]
 * @property {boolean} [microphone]
 * @property {Priority} [priority]
 * @property {Codec} [codec]
 * @property {true | "anew"} [restart] find another way for the media, or make a new connection
 */

/**
 * @typedef {object} Registered
 * @property {"registered"} type
 * @property {Role} role the one that the server gave, which may not be the one asked for
 * @property {TurnConfig} turnConfig
 * @property {string} [id]
 * @property {string} [room]
 * @property {PeerInfo[]} [peers]
 * @property {string} [resume] the token to come back with
 * @property {boolean} [resumed] this is the same peer as before
 * @property {Invite} [invite] for the role that this one usually brings in
 * @property {Record<Role, Invite>} [invites] for other roles
 * @property {Partial<Limits>} [limits]
 */

/**
 * @typedef {object} Register
 * @property {"register"} type
 * @property {Role} role
 * @property {string} [roomType] "camera" if left out
 * @property {string} [room]
 * @property {string} [key]
 * @property {string} [name]
 * @property {string} [resume]
 * @property {number} [heard] the newest `n` of what was said, to be told what was missed
 */

/** @typedef {{ type: "peer-connected", peer: Role, id: string, name?: string, offers?: boolean }} PeerConnected */
/** @typedef {{ type: "peer-disconnected", peer: Role, id: string, reason?: string }} PeerDisconnected */
/** @typedef {{ type: "offer", sdp: string, to?: string, from?: string }} Offer */
/** @typedef {{ type: "answer", sdp: string, to?: string, from?: string }} Answer */
/** @typedef {{ type: "ice-candidate", candidate: RTCIceCandidateInit | null, to?: string, from?: string }} IceCandidate */
/** @typedef {{ type: "control", settings: ControlSettings, to?: string, from?: string }} Control */
/** @typedef {{ type: "state", state: CameraState, to?: string, from?: string }} State the server hands the newest one
 *   of each peer to everyone who comes later */
/** @typedef {{ type: "turn-config", turnConfig: TurnConfig }} TurnConfigMessage */
/** @typedef {{ type: "error", message: string, code?: string }} ErrorMessage */

/** @typedef {{ type: "say", kind: string, body: string, to?: string }} Say */

/**
 * @typedef {object} Said
 * What somebody in the room said.
 * @property {"say"} type
 * @property {string} kind such as "chat"
 * @property {string} body
 * @property {string} from
 * @property {string} [name] the speaker's
 * @property {number} at room time, in milliseconds
 * @property {number} n counts what is said in the room
 * @property {boolean} [private] nobody else heard it
 */

/** @typedef {{ type: "set", name: string, base: number, value: Json }} SetDocument change version `base` of a document */

/**
 * @typedef {object} RoomDocument
 * A small value that all in the room see. After a restart of the server, whoever has a newer one sends it back.
 * @property {"document"} type
 * @property {string} name
 * @property {number} version
 * @property {Json} value
 * @property {string} [by] who changed it last
 * @property {number} at room time, in milliseconds
 * @property {string} [seal] shows that it is the server's
 */

/** @typedef {{ type: "role", to: string, role: Role | null }} GiveRole null: out of the room */
/** @typedef {{ type: "role", id: string, role: Role | null, by?: string }} RoleGiven `id` has this role now */
/** @typedef {{ type: "time", sent: number }} AskTime */
/** @typedef {{ type: "time", sent: number, time: number, boot: string }} Time `time` is room time, in milliseconds; it
 *   never jumps while `boot` stays the same */
/** @typedef {{ type: "end" }} End the room, for everyone */

/** @typedef {Offer | Answer | IceCandidate} Negotiation The messages that make one connection. */
/** @typedef {Negotiation | Control | State} Routed */
/** @typedef {Register | Routed | Say | SetDocument | RoomDocument | GiveRole | AskTime | End} ClientMessage */
/** @typedef {PeerConnected | PeerDisconnected} Attendance */
/** @typedef {Said | RoomDocument | RoleGiven | Time | TurnConfigMessage | ErrorMessage} Told */
/** @typedef {Registered | Attendance | Routed | Told} ServerMessage */

export {};
