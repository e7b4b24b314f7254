// Video and audio: the program's test pattern and tone, the browser's camera, and statistics of both.

import { Graph } from "./graph.js";

const INTERVAL = 1000;
// The counter of the test pattern: trio_rtc/media/pattern.py.
const COLUMNS = 8;
const ROWS = 4;
const ROWS_IN_PICTURE = 12;
const CHECK = 0xa5;

const $ = (id) => document.getElementById(id);

export function offerCall(channel, pc) {
  pc.addEventListener("track", ({ streams: [stream] }) => { $("theirs").srcObject = stream; });
  channel.onmessage = ({ data }) => {
    const { missing, received } = JSON.parse(data);
    if (missing !== undefined) {
      $("call").hidden = true;
      $("call-missing").hidden = false;
      $("call-missing").textContent = missing;
    } else if (received !== undefined) {
      showSeen(received);
    } else {
      offerButtons(channel, pc);
      watchStatistics(channel, pc);
    }
  };
}

// -- controls ---------------------------------------------------------------------------------------------------------

function offerButtons(channel, pc) {
  const [show, sound, camera] = [$("show"), $("sound"), $("camera")];
  const setShown = (shown) => {
    channel.send(JSON.stringify({ show: shown }));
    show.dataset.shown = shown ? "yes" : "";
    show.textContent = shown ? "Stop" : "Show it";
  };
  show.onclick = () => setShown(!show.dataset.shown);
  sound.onclick = () => {
    $("theirs").muted = !$("theirs").muted;
    sound.textContent = $("theirs").muted ? "Sound on" : "Sound off";
  };
  let stream = null;
  camera.onclick = async () => {
    camera.disabled = true;
    try {
      stream = stream ? await stopCamera(pc, stream) : await startCamera(pc);
      $("mine").srcObject = stream;
      camera.textContent = stream ? "Stop the camera" : "Send the camera";
    } catch (error) {
      camera.textContent = `No camera: ${error.message}`;
    } finally {
      camera.disabled = channel.readyState !== "open";
    }
  };
  for (const button of [show, sound, camera]) button.disabled = false;
  setShown(true);
}

async function startCamera(pc) {
  // Browsers allow cameras only on pages of the same machine or over https.
  if (!navigator.mediaDevices) throw new Error("open this page at 127.0.0.1 or over https");
  const video = { width: { ideal: 640 }, height: { ideal: 360 } };
  const camera = await navigator.mediaDevices
    .getUserMedia({ video, audio: true })
    .catch(() => navigator.mediaDevices.getUserMedia({ video }));
  for (const track of camera.getTracks()) {
    const transceiver = pc.getTransceivers().find(({ receiver }) => receiver.track.kind === track.kind);
    if (transceiver) {
      await transceiver.sender.replaceTrack(track);
      transceiver.direction = "sendrecv";
    } else {
      pc.addTransceiver(track);
    }
  }
  return camera;
}

async function stopCamera(pc, camera) {
  for (const transceiver of pc.getTransceivers()) {
    await transceiver.sender.replaceTrack(null);
    transceiver.direction = "recvonly";
  }
  for (const track of camera.getTracks()) track.stop();
  return null;
}

// -- statistics -------------------------------------------------------------------------------------------------------

const megabits = (rate) => (Number.isFinite(rate) ? `${(rate / 1e6).toFixed(2)} Mbit/s` : "–");
const number = (value, digits, unit) => (Number.isFinite(value) ? `${value.toFixed(digits)}${unit}` : "–");
const size = ({ frameWidth, frameHeight } = {}) => (frameWidth ? `${frameWidth} × ${frameHeight}` : "–");

function showSeen({ width, height, framesPerSecond, frequency }) {
  const picture = width ? `sees ${width} × ${height}, ${framesPerSecond.toFixed(0)} frames/s` : "sees no picture";
  $("seen").textContent = `The program ${picture}${frequency ? `, and hears ${frequency} Hz most` : ""}.`;
}

function watchStatistics(channel, pc) {
  const graph = new Graph($("bitrates"), { unit: "Mbit/s", colors: ["accent", "second"] });
  let before = null;
  const timer = setInterval(async () => {
    if (channel.readyState !== "open") return clearInterval(timer);
    const now = read([...(await pc.getStats()).values()]);
    if (before) showStatistics(graph, before, now);
    before = now;
  }, INTERVAL);
}

/** The used members of a statistics report. */
function read(all) {
  const of = (type) => all.filter((each) => each.type === type);
  const video = (type) => of(type).find(({ kind }) => kind === "video");
  const sum = (type, name) => of(type).reduce((total, each) => total + (each[name] ?? 0), 0);
  return {
    at: performance.now(),
    bytesIn: sum("inbound-rtp", "bytesReceived"),
    bytesOut: sum("outbound-rtp", "bytesSent"),
    incoming: video("inbound-rtp"),
    outgoing: video("outbound-rtp"),
    answered: video("remote-inbound-rtp"),
    pair: of("candidate-pair").find(({ nominated, state }) => nominated && state === "succeeded"),
  };
}

function showStatistics(graph, before, now) {
  const seconds = (now.at - before.at) / 1000;
  const bitrateIn = ((now.bytesIn - before.bytesIn) * 8) / seconds;
  const bitrateOut = ((now.bytesOut - before.bytesOut) * 8) / seconds;
  const grown = (name) => (now.incoming?.[name] ?? 0) - (before.incoming?.[name] ?? 0);
  const lost = grown("packetsLost");
  const values = {
    "in-bitrate": megabits(bitrateIn),
    "in-rate": number(bitrateIn ? now.incoming?.framesPerSecond : NaN, 0, ""),
    "in-size": size(now.incoming),
    "in-lost": number((100 * lost) / (lost + grown("packetsReceived")), 1, " %"),
    "in-jitter": number((1000 * grown("jitterBufferDelay")) / grown("jitterBufferEmittedCount"), 0, " ms"),
    "in-picture": readNumber($("theirs")) ?? "–",
    "out-bitrate": megabits(bitrateOut),
    "out-rate": number(bitrateOut ? now.outgoing?.framesPerSecond : NaN, 0, ""),
    "out-size": bitrateOut ? size(now.outgoing) : "–",
    "out-lost": number(bitrateOut ? 100 * now.answered?.fractionLost : NaN, 1, " %"),
    "out-limit": (bitrateOut && now.outgoing?.qualityLimitationReason) || "–",
    "out-trip": number(1000 * (now.answered?.roundTripTime ?? now.pair?.currentRoundTripTime), 1, " ms"),
  };
  for (const [id, value] of Object.entries(values)) $(id).textContent = value;
  graph.add(bitrateIn / 1e6, bitrateOut / 1e6);
  $("bitrates").ariaLabel =
    `Bitrates of the last 30 seconds: ${megabits(bitrateIn)} from the program, ${megabits(bitrateOut)} to it`;
}

/** The counter in the test pattern, read at the center of its black and white blocks. */
function readNumber(video) {
  if (!video.videoWidth) return null;
  const [width, height] = [COLUMNS * 10, ROWS_IN_PICTURE * 8];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(video, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const bytes = Array.from({ length: ROWS }, (_, row) => {
    let byte = 0;
    for (let column = 0; column < COLUMNS; column++) {
      byte = (byte << 1) | (data[((row * 8 + 4) * width + column * 10 + 5) * 4 + 1] > 127 ? 1 : 0);
    }
    return byte;
  });
  const check = bytes[0] ^ bytes[1] ^ bytes[2] ^ CHECK;
  return check === bytes[3] ? (bytes[0] << 16) | (bytes[1] << 8) | bytes[2] : null;
}
