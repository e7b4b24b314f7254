// Chromium's peer of a call: the commands of trio_rtc_peer.py, as functions of globalThis.peer.
globalThis.peer = (() => {
  const FREQUENCY = 440, BULK_MESSAGE = 16384, HIGH_WATER = 128 * 1024, DRAINING_MILLISECONDS = 20;
  const pc = new RTCPeerConnection();
  const arrivals = [];
  let channel;

  const now = () => (performance.timeOrigin + performance.now()) / 1000;

  const sleep = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });

  const connected = new Promise(resolve => {
    pc.addEventListener("connectionstatechange", () => pc.connectionState === "connected" && resolve(now()));
  });

  const watchVideo = async track => {
    const reader = new MediaStreamTrackProcessor({ track, maxBufferSize: 8 }).readable.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      arrivals.push(now());
      value.close();
    }
  };

  // Audio is only played out, and its jitter buffer only emptied, where an element plays it.
  const play = track => {
    const element = document.createElement("audio");
    element.srcObject = new MediaStream([track]);
    document.documentElement.append(element);
    element.play();
  };

  pc.ontrack = ({ track }) => { track.kind === "video" ? watchVideo(track) : play(track); };
  pc.ondatachannel = event => {
    channel = event.channel;
    channel.onmessage = () => {};
  };

  const tone = async () => {
    const context = new AudioContext({ sampleRate: 48000 });
    await context.resume();
    const oscillator = new OscillatorNode(context, { frequency: FREQUENCY });
    const volume = new GainNode(context, { gain: 0.3 });
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    oscillator.connect(volume).connect(destination);
    oscillator.start();
    return destination.stream.getAudioTracks()[0];
  };

  // Candidates are not trickled: the relay has to be told the address before the other peer is.
  const describe = async () => {
    const gathered = new Promise(resolve => {
      pc.onicegatheringstatechange = () => pc.iceGatheringState === "complete" && resolve();
    });
    await pc.setLocalDescription();
    if (pc.iceGatheringState !== "complete") await gathered;
    return pc.localDescription;
  };

  const commands = {
    async send({ width, height, framerate, bulk }) {
      const camera = await navigator.mediaDevices.getUserMedia({ video: { width, height, frameRate: framerate } });
      const stream = new MediaStream([await tone(), ...camera.getVideoTracks()]);
      for (const track of stream.getTracks()) pc.addTrack(track, stream);
      if (bulk) channel = pc.createDataChannel("bulk");
    },
    createOffer: describe,
    async createAnswer({ offer }) {
      await pc.setRemoteDescription(offer);
      return describe();
    },
    setAnswer: ({ answer }) => pc.setRemoteDescription(answer),
    connected: () => connected,
    async bulk({ seconds }) {
      const message = new Uint8Array(BULK_MESSAGE);
      const end = performance.now() + 1000 * seconds;
      channel.bufferedAmountLowThreshold = HIGH_WATER / 2;
      while (performance.now() < end) {
        channel.send(message);
        if (channel.bufferedAmount > HIGH_WATER) {
          await Promise.race([
            new Promise(resolve => { channel.onbufferedamountlow = resolve; }),
            sleep(end - performance.now()),
          ]);
        }
      }
      while (channel.bufferedAmount) await sleep(DRAINING_MILLISECONDS);
    },
    stats: async () => [...(await pc.getStats()).values()],
    arrivals: () => arrivals,
  };

  return { execute: async (method, parameters) => commands[method](parameters) };
})();
