// The peer connection of the page: signaling in the wire format of trio_rtc.signaling, and W3C's perfect negotiation.

const ROOM = "browsers";

/** Connects to the program. Calls `show(stage, state)` on every change and `fail(message)` at the end. */
export function connect(show, fail) {
  const pc = new RTCPeerConnection();
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/?room=${ROOM}`);
  let program; // the program's id: it was in the room before any page
  let welcome;
  const welcomed = new Promise((resolve) => { welcome = resolve; });
  // Messages before the server's welcome are queued.
  const say = async (data) => {
    await welcomed;
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ to: program, data }));
  };
  const receive = negotiate(pc, say, fail);

  show("signaling", "connecting");
  socket.onmessage = ({ data: text }) => {
    const { type, members, from, id, data } = JSON.parse(text);
    if (type === "welcome") {
      [program] = members;
      if (program === undefined) return fail("The program is not there. Is it still running?");
      show("signaling", "connected");
      welcome();
    } else if (type === "message" && from === program) {
      receive(data);
    } else if (type === "left" && id === program) {
      fail("The program has ended.");
    }
  };
  socket.onclose = ({ reason }) => {
    show("signaling", "closed");
    fail(reason || "The program has ended, or cannot be reached.");
  };
  addEventListener("pagehide", () => { pc.close(); socket.close(); });

  watch(pc, show, fail);
  return pc;
}

/** Makes offers when needed, and returns the handler of the other side's messages. */
function negotiate(pc, say, fail) {
  const polite = true; // the member that came later
  let makingOffer = false;
  let ignoreOffer = false;
  let settingAnswer = false;

  const offer = async () => {
    try {
      makingOffer = true;
      await pc.setLocalDescription();
      say({ description: pc.localDescription });
    } catch (error) {
      fail(`No offer could be made: ${error.message}`);
    } finally {
      makingOffer = false;
    }
  };
  pc.onnegotiationneeded = offer;
  pc.onicecandidate = ({ candidate }) => say({ candidate });

  return async ({ description, candidate }) => {
    try {
      if (description) {
        const ready = !makingOffer && (pc.signalingState === "stable" || settingAnswer);
        const collision = description.type === "offer" && !ready;
        ignoreOffer = !polite && collision;
        if (ignoreOffer) return;
        settingAnswer = description.type === "answer";
        await pc.setRemoteDescription(description);
        settingAnswer = false;
        if (description.type === "offer") {
          await pc.setLocalDescription();
          say({ description: pc.localDescription });
        }
      } else if (candidate) {
        await pc.addIceCandidate(candidate);
      }
    } catch (error) {
      if (!ignoreOffer) fail(`The program's ${description ? "description" : "candidate"} was refused: ${error.message}`);
    }
  };
}

function watch(pc, show, fail) {
  pc.onicegatheringstatechange = () => show("gathering", pc.iceGatheringState);
  pc.oniceconnectionstatechange = () => {
    show("ice", pc.iceConnectionState);
    if (pc.iceConnectionState === "failed") pc.restartIce();
  };
  pc.onconnectionstatechange = () => {
    const dtls = pc.sctp?.transport;
    show("dtls", dtls?.state ?? pc.connectionState);
    if (dtls) dtls.onstatechange = () => show("dtls", dtls.state);
    if (pc.connectionState === "failed") fail("The connection failed. It is tried again with new candidates.");
  };
  pc.onicecandidateerror = ({ url, errorText }) => {
    if (url) console.warn(`ICE server ${url}: ${errorText}`);
  };
}

/** Returns the addresses and the cipher of the connection. */
export async function describePath(pc) {
  const stats = await pc.getStats();
  const all = [...stats.values()];
  const transport = all.find(({ type }) => type === "transport");
  const pair = transport
    ? stats.get(transport.selectedCandidatePairId)
    : all.find(({ type, nominated, state }) => type === "candidate-pair" && nominated && state === "succeeded");
  if (!pair) return "";
  const name = ({ candidateType, protocol, address, port }) =>
    `${candidateType} ${protocol} ${address ? `${address.includes(":") ? `[${address}]` : address}:${port}` : ""}`.trim();
  const ends = [pair.localCandidateId, pair.remoteCandidateId].map((id) => name(stats.get(id)));
  return `${ends.join(" ↔ ")}${transport?.dtlsCipher ? ` · ${transport.dtlsCipher}` : ""}`;
}
