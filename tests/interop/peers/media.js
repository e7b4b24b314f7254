// Audio and video for the peer in a page (peer.js): the pattern of trio_rtc/media/pattern.py and tones are sent, the
// numbers in frames and the frequencies of tones are read. program.py describes the commands.
(() => {
  const COLUMNS = 8, ROWS = 4, ROWS_IN_PICTURE = 12, CHECK = 0xa5;
  const LOOK_MILLISECONDS = 25;
  const POINTS = 8192;
  const sources = [];
  let context, watched;

  const audioContext = async () => {
    context ??= new AudioContext({ sampleRate: 48000 });
    await context.resume();
    return context;
  };

  // -- the pattern ---------------------------------------------------------------------------------------------

  const checksum = counter => (counter ^ counter >> 8 ^ counter >> 16 ^ CHECK) & 0xff;

  // Grey with the luma that the pattern has; the stripes of its colours are left out.
  const grey = luma => Math.round((luma - 16) * 255 / 219);
  const wave = Array.from({ length: 128 }, (_, x) => grey(128 + Math.round(80 * Math.sin(2 * Math.PI * x / 128))));

  const drawPattern = (canvas, counter) => {
    const { width, height } = canvas;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);
    const bits = Array.from({ length: COLUMNS * ROWS }, (_, cell) =>
      cell < 24 ? counter >> 23 - cell & 1 : checksum(counter) >> 31 - cell & 1);
    const bottom = Math.floor(ROWS * height / ROWS_IN_PICTURE);
    for (let y = 0; y < height; y++) {
      let row = 0;
      while (y >= Math.floor((row + 1) * height / ROWS_IN_PICTURE)) row++;
      for (let x = 0; x < width; x++) {
        // Sixteen-bit widths: x is in the column whose left edge is the last one not beyond it.
        let value;
        if (y < bottom) {
          let column = Math.floor(x * COLUMNS / width);
          if (Math.floor((column + 1) * width / COLUMNS) <= x) column++;
          value = bits[row * COLUMNS + column] ? 255 : 0;
        } else {
          value = wave[(x + y - bottom + counter * 4 + bottom) % 128];
        }
        pixels[y * width + x] = 0xff000000 | value << 16 | value << 8 | value;
      }
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  };

  const readCounter = ({ data, width, height }) => {
    let counter = 0, check = 0;
    for (let cell = 0; cell < COLUMNS * ROWS; cell++) {
      const column = cell % COLUMNS, row = Math.floor(cell / COLUMNS);
      const at = (part, count, length) => Math.floor((part) * length / count);
      let total = 0, count = 0;
      for (let y = at(row + 0.3, ROWS_IN_PICTURE, height); y < at(row + 0.7, ROWS_IN_PICTURE, height); y++) {
        for (let x = at(column + 0.3, COLUMNS, width); x < at(column + 0.7, COLUMNS, width); x++) {
          total += data[(y * width + x) * 4 + 1];
          count++;
        }
      }
      const bit = total > 127 * count ? 1 : 0;
      if (cell < 24) counter = counter * 2 + bit; else check = check * 2 + bit;
    }
    return check === checksum(counter) ? counter : null;
  };

  // -- sending -------------------------------------------------------------------------------------------------

  const pattern = ({ start, width, height, framerate }) => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height });
    let counter = start;
    drawPattern(canvas, counter++);
    const [track] = canvas.captureStream().getVideoTracks();
    setInterval(() => drawPattern(canvas, counter++), 1000 / framerate);
    return track;
  };

  const tone = async ({ frequency }) => {
    const context = await audioContext();
    const oscillator = new OscillatorNode(context, { frequency });
    const volume = new GainNode(context, { gain: 0.3 });
    const destination = new MediaStreamAudioDestinationNode(context, { channelCount: 1 });
    oscillator.connect(volume).connect(destination);
    oscillator.start();
    return destination.stream.getAudioTracks()[0];
  };

  const open = ({ kind, ...options }) => kind === "video" ? pattern(options) : tone(options);

  // In a worker, since the page's thread blocks for up to a third of a second when audio is first played.
  const clock = `onmessage = async ({ data }) => {
    const reader = data.getReader();
    for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
      postMessage(performance.timeOrigin + performance.now());
      value.close();
    }
  };`;

  // -- receiving -----------------------------------------------------------------------------------------------

  const trackOf = mid => peer.connection().getTransceivers().find(each => each.mid === mid).receiver.track;

  // An element does not resume when its track is received again after a pause: hence one for each check.
  const show = async (mid, use) => {
    const track = trackOf(mid);
    const element = document.createElement(track.kind);
    Object.assign(element, { muted: true, playsInline: true, srcObject: new MediaStream([track]) });
    document.documentElement.append(element);
    element.play().catch(() => {});
    try {
      return await use(element);
    } finally {
      element.srcObject = null;
      element.remove();
    }
  };

  const look = video => {
    const { videoWidth: width, videoHeight: height } = video;
    if (!width) return null;
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    return context.getImageData(0, 0, width, height);
  };

  const pause = () => new Promise(resolve => setTimeout(resolve, LOOK_MILLISECONDS));

  // As decoded if the browser provides that, otherwise computed from the colours.
  const lumaOf = async (video, { data, width, height }) => {
    const frame = new VideoFrame(video);
    const luma = new Uint8Array(width * height);
    if (/^(I420|NV12)$/.test(frame.format)) {
      const planes = new Uint8Array(frame.allocationSize());
      const [{ offset, stride }] = await frame.copyTo(planes);
      for (let y = 0; y < height; y++) {
        luma.set(planes.subarray(offset + y * stride, offset + y * stride + width), y * width);
      }
    } else {
      for (let i = 0; i < luma.length; i++) {
        const [red, green, blue] = data.subarray(4 * i, 4 * i + 3);
        luma[i] = Math.round(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255);
      }
    }
    const { format } = frame;
    frame.close();
    return { luma, format };
  };

  const base64 = bytes => {
    let binary = "";
    for (let i = 0; i < bytes.length; i += 0x8000) {
      binary += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
    }
    return btoa(binary);
  };

  const peak = (analyser, bins) => {
    analyser.getFloatFrequencyData(bins);
    let best = 1;
    for (let i = 2; i < bins.length; i++) if (bins[i] > bins[best]) best = i;
    return bins[best] > -80 ? best * context.sampleRate / POINTS : 0;
  };

  const transform = `
    onrtctransform = ({ transformer }) => {
      transformer.readable.pipeTo(transformer.writable);
      onmessage = () => transformer.sendKeyFrameRequest().then(() => postMessage(null));
    };`;

  peer.openTrack = open;
  Object.assign(peer.commands, {
    async addSource({ encodings, ...options }) {
      const track = await open(options);
      const stream = new MediaStream([track]);
      const sender = encodings
        ? peer.connection().addTransceiver(track, { streams: [stream], sendEncodings: encodings }).sender
        : peer.connection().addTrack(track, stream);
      return sources.push(sender) - 1;
    },
    async replaceSource({ source, ...options }) {
      await sources[source].replaceTrack(await open({ kind: sources[source].track.kind, ...options }));
    },
    sendTones: ({ source, tones }) => sources[source].dtmf.insertDTMF(tones, 100, 70),
    removeSource: ({ source }) => peer.connection().removeTrack(sources[source]),
    preferCodec: ({ kind, name }) => peer.commands.preferCodecs({ kind, names: [name] }),
    preferCodecs({ kind, names }) {
      const wanted = [...names.map(name => `${kind}/${name}`.toLowerCase()), "video/rtx"];
      const place = ({ mimeType }) => wanted.indexOf(mimeType.toLowerCase());
      const codecs = RTCRtpReceiver.getCapabilities(kind).codecs
        .filter(codec => place(codec) >= 0).sort((one, other) => place(one) - place(other));
      for (const transceiver of peer.connection().getTransceivers()) {
        if (transceiver.receiver.track.kind === kind) transceiver.setCodecPreferences(codecs);
      }
    },
    codecs: ({ kind }) => RTCRtpReceiver.getCapabilities(kind).codecs,
    transceivers: () => peer.connection().getTransceivers().map(
      ({ mid, direction, currentDirection, receiver: { track } }) =>
        ({ mid, direction, currentDirection, kind: track.kind, muted: track.muted })),
    readCounters: ({ mid, count, least }) => show(mid, async video => {
      const counters = [];
      while (counters.length < count) {
        const image = look(video);
        const counter = image && readCounter(image);
        if (counter !== null && counter >= least && counter !== counters.at(-1)) counters.push(counter);
        await pause();
      }
      return counters;
    }),
    readFrame: ({ mid }) => show(mid, async video => {
      for (;;) {
        const image = look(video);
        const counter = image && readCounter(image);
        if (counter !== null) {
          const { luma, format } = await lumaOf(video, image);
          const { width, height } = image;
          // The video may have advanced between the two reads.
          if (readCounter(look(video)) === counter) return { counter, width, height, format, luma: base64(luma) };
        }
        await pause();
      }
    }),
    waitForTone: ({ mid, frequency, tolerance }) => show(mid, async ({ srcObject }) => {
      const context = await audioContext();
      const analyser = new AnalyserNode(context, { fftSize: POINTS, smoothingTimeConstant: 0 });
      const source = context.createMediaStreamSource(srcObject);
      source.connect(analyser);
      const bins = new Float32Array(analyser.frequencyBinCount);
      let heard;
      for (let alike = 0; alike < 4; await pause()) {
        heard = peak(analyser, bins);
        alike = Math.abs(heard - frequency) <= tolerance ? alike + 1 : 0;
      }
      source.disconnect();
      return heard;
    }),
    // Times at which frames of the first video track were decoded, and of the connection.
    watchFrames() {
      const pc = peer.connection();
      watched = { connected: null, frames: [] };
      pc.addEventListener("connectionstatechange", () => {
        if (pc.connectionState === "connected") watched.connected ??= performance.now();
      });
      pc.addEventListener("track", async ({ track, streams }) => {
        // Audio leaves its buffer, and video is synchronized to it, only where it is played.
        const element = document.createElement(track.kind);
        Object.assign(element, { muted: true, playsInline: true, srcObject: streams[0] ?? new MediaStream([track]) });
        document.documentElement.append(element);
        element.play().catch(() => {});
        if (track.kind !== "video") return;
        const { readable } = new MediaStreamTrackProcessor({ track });
        const worker = new Worker(URL.createObjectURL(new Blob([clock], { type: "text/javascript" })));
        const { frames } = watched;
        worker.onmessage = ({ data }) => frames.push(data - performance.timeOrigin);
        worker.postMessage(readable, [readable]);
      });
    },
    frameTimes: () => ({ ...watched, now: performance.now() }),
    watch: ({ mid, seconds }) => show(mid, () => new Promise(done => setTimeout(done, 1000 * seconds))),
    async requestKeyframe({ mid }) {
      const { receiver } = peer.connection().getTransceivers().find(each => each.mid === mid);
      const worker = new Worker(URL.createObjectURL(new Blob([transform], { type: "text/javascript" })));
      receiver.transform = new RTCRtpScriptTransform(worker);
      const asked = new Promise(resolve => { worker.onmessage = resolve; });
      worker.postMessage(null);
      await asked;
    },
  });
})();
