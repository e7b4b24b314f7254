// Steps of negotiation for the peer in a page (peer.js), W3C's perfect negotiation, and random changes.
(() => {
  const pc = () => peer.connection();
  let polite, makingOffer, ignoresOffer, settingAnswer, labels = new Map();

  const json = description => description && { type: description.type, sdp: description.sdp };
  const send = message => peer.emit({ event: "signal", message });

  // The published form (W3C webrtc section 10.7), in which errors are reported instead of logged.
  const reported = method => async (...parameters) => {
    try {
      await method(...parameters);
    } catch (error) {
      send({ failure: `${error.name}: ${error.message}` });
    }
  };

  const offer = reported(async () => {
    try {
      makingOffer = true;
      await pc().setLocalDescription();
      send({ description: json(pc().localDescription) });
    } finally {
      makingOffer = false;
    }
  });

  const receive = reported(async ({ description, candidate }) => {
    if (!description) {
      // Those of an offer that was ignored or rolled back fail.
      await pc().addIceCandidate(candidate).catch(() => {});
      return;
    }
    const free = !makingOffer && (pc().signalingState === "stable" || settingAnswer);
    ignoresOffer = !polite && description.type === "offer" && !free;
    if (ignoresOffer) return;
    settingAnswer = description.type === "answer";
    await pc().setRemoteDescription(description);
    settingAnswer = false;
    if (description.type === "offer") {
      await pc().setLocalDescription();
      send({ description: json(pc().localDescription) });
    }
  });

  const open = async options => {
    const track = await peer.openTrack(options);
    labels.set(track.id, options);
    return track;
  };

  const changes = {
    stop: transceiver => transceiver.stop(),
    direction: (transceiver, { direction }) => { transceiver.direction = direction; },
    remove: ({ sender }) => pc().removeTrack(sender),
    replace: async ({ sender, receiver }, { frequency, ...options }) => {
      const { kind } = receiver.track;
      await sender.replaceTrack(await open(kind === "audio" ? { kind, frequency } : { kind, ...options }));
    },
  };

  const isLive = ({ direction, currentDirection }) =>
    !["stopping", "stopped"].includes(direction) && currentDirection !== "stopped";

  Object.assign(peer.commands, {
    async createDescription({ type }) {
      return json(await (type === "offer" ? pc().createOffer() : pc().createAnswer()));
    },
    async setLocalDescription({ description }) {
      pc().onicecandidate = ({ candidate }) => peer.emit({ event: "icecandidate", candidate });
      await (description ? pc().setLocalDescription(description) : pc().setLocalDescription());
      return json(pc().localDescription);
    },
    setRemoteDescription: ({ description }) => pc().setRemoteDescription(description),
    states: () => {
      const { signalingState, connectionState, iceConnectionState, iceGatheringState } = pc();
      return { signalingState, connectionState, iceConnectionState, iceGatheringState };
    },
    descriptions: () => ({ local: json(pc().localDescription), remote: json(pc().remoteDescription) }),
    negotiate(options) {
      ({ polite } = options);
      pc().onnegotiationneeded = offer;
      pc().onicecandidate = ({ candidate }) => send({ candidate: candidate?.toJSON() ?? null });
    },
    receiveSignal: ({ message }) => receive(message),
    async addLabelled({ kind, frequency, ...options }) {
      const track = await open(kind === "audio" ? { kind, frequency } : { kind, ...options });
      try {
        pc().addTrack(track, new MediaStream([track]));
      } catch (error) {
        // Chromium selects a transceiver that is being stopped.
        if (error.name !== "InvalidAccessError") throw error;
      }
    },
    async change({ verb, number, ...options }) {
      // Chromium asks for offers without end once a transceiver was stopped that has no section yet.
      const live = pc().getTransceivers().filter(each => isLive(each) && (verb !== "stop" || each.mid !== null));
      try {
        if (live.length) await changes[verb](live[number % live.length], options);
      } catch (error) {
        // The other side has stopped the transceiver meanwhile.
        if (error.name !== "InvalidStateError") throw error;
      }
    },
    sections: () => pc().getTransceivers().filter(isLive).map(
      ({ mid, currentDirection, sender: { track }, receiver }) =>
        ({ mid, currentDirection, kind: receiver.track.kind, sent: track && labels.get(track.id) })),
  });
})();
