/** The server that the page came from, and no ICE servers: both browsers are on one network. */

export const options = {
  host: location.hostname,
  port: Number(location.port),
  path: "/peerjs",
  config: { iceServers: [] },
};
