/**
 * Runs in every measured page before the page's own scripts; pair.py puts it there.
 *
 * Records each frame that the page's first video paints, with its number (see camera.py) and its times by the
 * machine's clock in milliseconds, each latency that the page's own panel shows, all connections, when the page
 * asks for the camera, and when the steps to a connection are done. With a transport ("udp" or "tcp"), it removes all ICE servers but TURN over that transport.
 */

/** @param {string} transport */
(transport) => {
  const CELLS = 10;
  const clock = (time) => performance.timeOrigin + time;
  const bench = (window.bench = { frames: [], readings: [], connections: [], asked: null, marks: {} });
  const mark = (name) => {
    bench.marks[name] ??= performance.now();
  };

  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration = {}) {
      super(filtered(configuration));
      bench.connections.push(this);
      this.addEventListener("connectionstatechange", () => {
        if (this.connectionState === "connected") {
          mark("connected");
        }
      });
    }

    setConfiguration(configuration) {
      super.setConfiguration(filtered(configuration));
    }
  };

  window.WebSocket = class extends WebSocket {
    constructor(...options) {
      super(...options);
      mark("code");
      this.addEventListener("open", () => mark("socket open"));
      this.addEventListener("message", ({ data }) => {
        if (/"type":\s*"answer"/i.test(data)) {
          mark("answer in");
        }
      });
    }

    send(data) {
      if (/"type":\s*"offer"/i.test(data)) {
        mark("offer out");
      }
      super.send(data);
    }
  };

  const devices = navigator.mediaDevices;
  const open = devices?.getUserMedia.bind(devices);
  if (open) {
    devices.getUserMedia = (constraints) => {
      bench.asked ??= performance.now();
      return open(constraints);
    };
  }

  let watched = null;
  const media = HTMLMediaElement.prototype;
  const source = Object.getOwnPropertyDescriptor(media, "srcObject");
  Object.defineProperty(media, "srcObject", {
    ...source,
    set(stream) {
      source.set.call(this, stream);
      if (stream && !watched && this instanceof HTMLVideoElement) {
        watched = this;
        watched.requestVideoFrameCallback(painted);
      }
    },
  });

  /** @param {RTCConfiguration} configuration */
  function filtered(configuration) {
    const iceServers = (configuration.iceServers ?? [])
      .map((server) => ({ ...server, urls: [].concat(server.urls) }))
      .map((server) => ({ ...server, urls: server.urls.filter((url) => fits(url)) }))
      .filter((server) => server.urls.length > 0);
    return { ...configuration, iceServers };
  }

  /** @param {string} url */
  function fits(url) {
    return transport === "" || (url.startsWith("turn:") && url.endsWith(`=${transport}`));
  }

  function painted(_now, metadata) {
    watched.requestVideoFrameCallback(painted);
    const seen = {
      number: null,
      at: clock(metadata.presentationTime),
      displayed: clock(metadata.expectedDisplayTime),
      captured: metadata.captureTime === undefined ? null : clock(metadata.captureTime),
      width: metadata.width,
      height: metadata.height,
      presented: metadata.presentedFrames,
    };
    if (bench.frames.push(seen) === 1) {
      watchPanel();
    }
    void number(new VideoFrame(watched)).then((found) => (seen.number = found));
  }

  function watchPanel() {
    const panel = document.querySelector('[data-stat="delay"]');
    const note = () => {
      const value = parseFloat(panel.textContent);
      if (Number.isFinite(value)) {
        bench.readings.push({ at: clock(performance.now()), value });
      }
    };
    if (panel) {
      new MutationObserver(note).observe(panel, {
        childList: true,
        characterData: true,
        subtree: true,
      });
    }
  }

  /**
   * Read the number from two rows of the picture's luma, without copying the rest.
   * @param {VideoFrame} frame
   */
  async function number(frame) {
    const { x, y, width, height } = frame.visibleRect;
    const rect = { x, y: y + 2 * Math.round(height / 36), width: width & ~1, height: 2 };
    const data = new Uint8Array(frame.allocationSize({ rect }));
    const [{ offset }] = await frame.copyTo(data, { rect });
    frame.close();
    const cell = rect.width / CELLS;
    const levels = Array.from({ length: CELLS }, (_, index) => {
      const from = offset + Math.ceil((index + 0.25) * cell);
      const part = data.subarray(from, from + Math.ceil(cell / 2));
      return part.reduce((sum, value) => sum + value, 0) / part.length;
    });
    const [white, black, ...rest] = levels;
    const bits = rest.map((level) => Number(level > (white + black) / 2));
    const even = bits.reduce((sum, bit) => sum + bit, 0) % 2 === 0;
    return white - black < 60 || even ? null : parseInt(bits.slice(0, -1).join(""), 2);
  }
};
