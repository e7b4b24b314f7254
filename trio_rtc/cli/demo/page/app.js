// The page: shows the states of the connection, and connects the channels with the controls.

import { offerCall } from "./call.js";
import { connect, describePath } from "./connection.js";
import { Graph } from "./graph.js";
import { download, sendFile, upload } from "./transfers.js";

const SECONDS = 3;
const PING_INTERVAL = 200;
const PING_TIMEOUT = 2000;
const GOOD = ["connected", "completed", "complete", "open", "stable"];
const BAD = ["failed", "closed", "disconnected"];

const $ = (id) => document.getElementById(id);

// -- states and errors ------------------------------------------------------------------------------------------------

const started = performance.now();

function show(stage, state) {
  const item = $(`state-${stage}`);
  const good = GOOD.includes(state);
  item.className = good ? "good" : BAD.includes(state) ? "bad" : "busy";
  item.querySelector(".value").textContent = state;
  if (good && !item.dataset.reached) {
    item.dataset.reached = "yes";
    item.querySelector(".name").textContent += ` · ${Math.round(performance.now() - started)} ms`;
  }
}

function fail(message) {
  $("error-text").textContent = message;
  $("error").hidden = false;
}

$("reload").onclick = () => location.reload();
addEventListener("error", ({ message }) => fail(message));
addEventListener("unhandledrejection", ({ reason }) => fail(String(reason?.message ?? reason)));

// -- round trip -------------------------------------------------------------------------------------------------------

const milliseconds = (value) => (value === undefined ? "–" : `${value.toFixed(value < 10 ? 2 : 1)} ms`);

function startPings(channel) {
  const graph = new Graph($("graph"), { unit: "ms" });
  const underWay = new Map();
  let number = 0;
  channel.onmessage = ({ data }) => {
    const sent = underWay.get(data);
    if (sent === undefined) return;
    underWay.delete(data);
    graph.add(performance.now() - sent);
    showRoundTrip(graph);
  };
  const timer = setInterval(() => {
    if (channel.readyState !== "open") return clearInterval(timer);
    const now = performance.now();
    for (const [ping, sent] of underWay) {
      if (now - sent < PING_TIMEOUT) break;
      underWay.delete(ping);
      graph.add(null);
    }
    number += 1;
    underWay.set(String(number), now);
    channel.send(String(number));
  }, PING_INTERVAL);
}

function showRoundTrip(graph) {
  const { now, median, worst, lost } = graph.summary();
  $("rtt-now").textContent = milliseconds(now);
  $("rtt-median").textContent = milliseconds(median);
  $("rtt-worst").textContent = milliseconds(worst);
  $("rtt-lost").textContent = String(lost);
  $("graph").ariaLabel =
    `Round-trip time of the last 30 seconds: now ${milliseconds(now)}, median ${milliseconds(median)}, ` +
    `slowest ${milliseconds(worst)}, ${lost} lost`;
}

// -- throughput -------------------------------------------------------------------------------------------------------

const rate = ({ bytes, seconds }) => `${((bytes * 8) / seconds / 1e6).toFixed(0)} Mbit/s`;

function offerThroughput(channel) {
  const buttons = [$("download"), $("upload")];
  const run = async (name, measure) => {
    const [bar, result] = [$(`${name}-progress`), $(`${name}-result`)];
    for (const button of buttons) button.disabled = true;
    try {
      const measured = await measure(channel, SECONDS, (soFar) => {
        bar.value = Math.min(1, soFar.seconds / SECONDS);
        result.textContent = rate(soFar);
      });
      bar.value = 1;
      result.textContent = `${rate(measured)}, ${(measured.bytes / 1e6).toFixed(0)} MB arrived whole`;
    } catch (error) {
      result.textContent = `failed: ${error.message}`;
    } finally {
      for (const button of buttons) button.disabled = channel.readyState !== "open";
    }
  };
  $("download").onclick = () => run("download", download);
  $("upload").onclick = () => run("upload", upload);
  for (const button of buttons) button.disabled = false;
}

// -- files ------------------------------------------------------------------------------------------------------------

function offerFiles(channel) {
  const drop = $("drop");
  let queue = Promise.resolve();
  const take = (files) => {
    for (const file of files) queue = queue.then(() => transfer(channel, file));
  };
  $("file").disabled = false;
  drop.classList.add("ready");
  $("file").onchange = ({ target }) => {
    take([...target.files]);
    target.value = "";
  };
  drop.ondragover = (event) => {
    event.preventDefault();
    drop.classList.add("over");
  };
  drop.ondragleave = () => drop.classList.remove("over");
  drop.ondrop = (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take([...event.dataTransfer.files]);
  };
}

async function transfer(channel, file) {
  const item = document.createElement("li");
  const verdict = document.createElement("span");
  const bar = Object.assign(document.createElement("progress"), { max: 1, value: 0 });
  bar.ariaLabel = `Sending ${file.name}`;
  item.append(`${file.name}, ${file.size.toLocaleString("en")} bytes `, verdict, bar);
  $("files").prepend(item);
  try {
    const { ours, theirs, seconds } = await sendFile(channel, file, (share) => { bar.value = share; });
    const same = ours === theirs;
    verdict.className = same ? "good" : "bad";
    verdict.textContent = same ? `✓ same SHA-256, ${seconds.toFixed(1)} s` : "✗ the checksums differ";
    for (const [side, checksum] of same ? [["both", ours]] : [["browser", ours], ["program", theirs]]) {
      item.append(Object.assign(document.createElement("code"), { textContent: `${side}: ${checksum}` }));
    }
  } catch (error) {
    verdict.className = "bad";
    verdict.textContent = `✗ ${error.message}`;
  } finally {
    bar.remove();
  }
}

// -- chat -------------------------------------------------------------------------------------------------------------

function offerChat(channel) {
  const [input, button] = $("chat").elements;
  channel.onmessage = ({ data }) => {
    const { from, text } = JSON.parse(data);
    addMessage(from, text);
  };
  $("chat").onsubmit = (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    if (channel.readyState !== "open") return fail("The chat is closed.");
    channel.send(JSON.stringify({ text }));
    addMessage("you", text);
    input.value = "";
  };
  input.disabled = button.disabled = false;
}

function addMessage(from, text) {
  const item = document.createElement("li");
  if (from === "you") item.className = "mine";
  item.append(Object.assign(document.createElement("span"), { className: "from", textContent: from }), text);
  $("messages").append(item);
  $("messages").scrollTop = $("messages").scrollHeight;
}

// -- start -------------------------------------------------------------------------------------------------------------

function start() {
  if (!("RTCPeerConnection" in window)) return fail("This browser has no WebRTC.");
  const pc = connect(show, fail);
  const uses = { ping: startPings, throughput: offerThroughput, file: offerFiles, chat: offerChat, call: offerCall };
  const options = { ping: { ordered: false, maxRetransmits: 0 } };
  let open = 0;
  for (const [label, use] of Object.entries(uses)) {
    const channel = pc.createDataChannel(label, options[label]);
    channel.binaryType = "arraybuffer";
    channel.addEventListener("open", () => {
      open += 1;
      show("channels", open === Object.keys(uses).length ? "open" : "connecting");
      use(channel, pc);
    });
    channel.addEventListener("close", () => {
      show("channels", "closed");
      disableControls();
    });
  }
  show("channels", "connecting");
  pc.addEventListener("connectionstatechange", async () => {
    if (pc.connectionState !== "connected") return;
    $("error").hidden = true;
    $("path").textContent = await describePath(pc);
  });
}

function disableControls() {
  for (const element of document.querySelectorAll("main button, main input")) element.disabled = true;
  $("drop").classList.remove("ready");
}

start();
