// Bulk data: the throughput tests and the file drop.

import { Sha256 } from "./sha256.js";

const PIECE = 65_536;
const HIGH_WATER = 1 << 20;

/** Waits until a channel has room, or throws when it is closed. */
async function room(channel) {
  if (channel.readyState !== "open") throw new Error("the connection was lost");
  if (channel.bufferedAmount < HIGH_WATER) return;
  channel.bufferedAmountLowThreshold = HIGH_WATER / 2;
  await new Promise((resolve, reject) => {
    channel.addEventListener("bufferedamountlow", resolve, { once: true });
    channel.addEventListener("close", () => reject(new Error("the connection was lost")), { once: true });
  });
}

/** Calls `take` with every message until it returns something else than undefined. */
function until(channel, take) {
  return new Promise((resolve, reject) => {
    const end = (settle, value) => {
      channel.onmessage = channel.onclose = null;
      settle(value);
    };
    channel.onclose = () => end(reject, new Error("the connection was lost"));
    channel.onmessage = ({ data }) => {
      const result = take(data);
      if (result !== undefined) end(resolve, result);
    };
  });
}

/** Requests data for so many seconds. Returns {bytes, seconds}. */
export async function download(channel, seconds, progress) {
  const started = performance.now();
  let bytes = 0;
  channel.send(JSON.stringify({ download: seconds }));
  const { sent } = await until(channel, (data) => {
    if (typeof data === "string") return JSON.parse(data);
    bytes += data.byteLength;
    progress({ bytes, seconds: (performance.now() - started) / 1000 });
    return undefined;
  });
  if (sent !== bytes) throw new Error(`${bytes} of ${sent} bytes arrived`);
  return { bytes, seconds: (performance.now() - started) / 1000 };
}

/** Sends for so many seconds, then waits until the program has received everything. Returns {bytes, seconds}. */
export async function upload(channel, seconds, progress) {
  const started = performance.now();
  const piece = new Uint8Array(PIECE);
  let bytes = 0;
  while (performance.now() - started < seconds * 1000) {
    await room(channel);
    channel.send(piece);
    bytes += PIECE;
    progress({ bytes: bytes - channel.bufferedAmount, seconds: (performance.now() - started) / 1000 });
  }
  channel.send(JSON.stringify({ upload: bytes }));
  const { received } = await until(channel, (data) => JSON.parse(data));
  if (received !== bytes) throw new Error(`${received} of ${bytes} bytes arrived`);
  return { bytes, seconds: (performance.now() - started) / 1000 };
}

/** Sends a file. Returns {ours, theirs, seconds}: its SHA-256 as computed by each side. */
export async function sendFile(channel, file, progress) {
  const started = performance.now();
  const digest = new Sha256();
  channel.send(JSON.stringify({ name: file.name, size: file.size }));
  for (let start = 0; start < file.size; start += PIECE) {
    const piece = await file.slice(start, start + PIECE).arrayBuffer();
    await room(channel);
    channel.send(piece);
    digest.update(new Uint8Array(piece));
    progress((start + piece.byteLength) / file.size);
  }
  const { sha256: theirs } = await until(channel, (data) => JSON.parse(data));
  return { ours: digest.hex(), theirs, seconds: (performance.now() - started) / 1000 };
}
