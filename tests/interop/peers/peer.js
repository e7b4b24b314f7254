// The peer in a page, with the commands and events that program.py describes.
// A driver calls peer.execute(method, params) and receives events with peer.nextEvents().
globalThis.peer = (() => {
  let pc;
  const channels = [];
  const events = [];
  let wake = () => {};

  const emit = event => {
    events.push(event);
    wake();
  };

  const nextEvents = async () => {
    if (!events.length) await new Promise(resolve => { wake = resolve; });
    return events.splice(0);
  };

  const encodeMessage = data => {
    if (typeof data === "string") return { text: data };
    // Piecewise, since the number of arguments of a call is limited.
    const bytes = new Uint8Array(data);
    let binary = "";
    for (let i = 0; i < bytes.length; i += 0x8000) {
      binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    }
    return { base64: btoa(binary) };
  };

  const decodeMessage = encoded =>
    "text" in encoded ? encoded.text : Uint8Array.from(atob(encoded.base64), c => c.charCodeAt(0));

  const describe = ({ label, protocol, ordered, maxPacketLifeTime, maxRetransmits, negotiated, id }) =>
    ({ label, protocol, ordered, maxPacketLifeTime, maxRetransmits, negotiated, id });

  const adopt = (channel, announced) => {
    const number = channels.push(channel) - 1;
    channel.binaryType = "arraybuffer";
    if (announced) emit({ event: "datachannel", channel: number, members: describe(channel) });
    channel.onopen = () => emit({ event: "open", channel: number, members: describe(channel) });
    channel.onmessage = ({ data }) => emit({ event: "message", channel: number, ...encodeMessage(data) });
    channel.onclose = () => emit({ event: "close", channel: number });
    return number;
  };

  const setLocalDescription = async trickle => {
    pc.onicecandidate = trickle ? ({ candidate }) => emit({ event: "icecandidate", candidate }) : null;
    const gathered = new Promise(resolve => {
      pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
    });
    await pc.setLocalDescription();
    if (!trickle && pc.iceGatheringState !== "complete") await gathered;
    return pc.localDescription;
  };

  const commands = {
    create({ configuration = {} }) {
      pc = new RTCPeerConnection(configuration);
      pc.ondatachannel = ({ channel }) => { adopt(channel, true); };
      pc.onconnectionstatechange = () => emit({ event: "connectionstate", state: pc.connectionState });
    },
    createDataChannel({ label, options }) {
      return adopt(pc.createDataChannel(label, options), false);
    },
    createOffer: ({ trickle }) => setLocalDescription(trickle),
    async createAnswer({ offer, trickle }) {
      await pc.setRemoteDescription(offer);
      return setLocalDescription(trickle);
    },
    setAnswer: ({ answer }) => pc.setRemoteDescription(answer),
    addIceCandidate: ({ candidate }) => pc.addIceCandidate(candidate),
    restartIce: () => pc.restartIce(),
    addTransceivers({ kinds }) {
      for (const kind of kinds) pc.addTransceiver(kind);
    },
    maxMessageSize: () => pc.sctp.maxMessageSize,
    send: ({ channel, message }) => channels[channel].send(decodeMessage(message)),
    sendNumbers({ channel, count }) {
      for (let number = 0; number < count; number++) channels[channel].send(String(number));
    },
    closeChannel: ({ channel }) => channels[channel].close(),
    getStats: async () => [...(await pc.getStats()).values()],
    close: () => pc.close(),
  };

  return {
    commands, connection: () => pc, emit, nextEvents, execute: async (method, params) => commands[method](params),
  };
})();
