// The round-trip time of the last half minute, drawn as it is measured.

const SPAN = 30_000;
const MARGIN = { left: 56, right: 8, top: 10, bottom: 22 };

export class Graph {
  #canvas;
  #samples = []; // {time, value}, both in milliseconds; value null: lost

  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  add(value) {
    const now = performance.now();
    this.#samples.push({ time: now, value });
    while (this.#samples[0].time < now - SPAN) this.#samples.shift();
    this.draw();
  }

  /** What the samples in view say: {now, median, worst, lost}. */
  summary() {
    const values = this.#samples.filter(({ value }) => value !== null).map(({ value }) => value);
    const sorted = [...values].sort((a, b) => a - b);
    return {
      now: values.at(-1),
      median: sorted[Math.floor(sorted.length / 2)],
      worst: sorted.at(-1),
      lost: this.#samples.length - values.length,
    };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = this.#canvas.getContext("2d");
    context.scale(scale, scale);
    const top = niceTop(this.summary().worst ?? 1);
    const now = performance.now();
    const frame = {
      x: (time) => width - MARGIN.right - ((now - time) / SPAN) * (width - MARGIN.left - MARGIN.right),
      y: (value) => height - MARGIN.bottom - (value / top) * (height - MARGIN.top - MARGIN.bottom),
      right: width - MARGIN.right,
      bottom: height - MARGIN.bottom,
      now,
      top,
      color: (name) => getComputedStyle(this.#canvas).getPropertyValue(`--${name}`),
    };
    drawAxes(context, frame);
    drawLine(context, frame, this.#samples);
  }
}

function drawAxes(context, frame) {
  context.font = "12px system-ui, sans-serif";
  context.fillStyle = frame.color("soft");
  context.strokeStyle = frame.color("line");
  context.lineWidth = 1;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const share of [0, 0.5, 1]) {
    const y = Math.round(frame.y(frame.top * share)) + 0.5;
    context.beginPath();
    context.moveTo(MARGIN.left, y);
    context.lineTo(frame.right, y);
    context.stroke();
    context.fillText(`${Number((frame.top * share).toPrecision(3))} ms`, MARGIN.left - 8, y);
  }
  context.textBaseline = "top";
  for (const seconds of frame.right > 500 ? [30, 20, 10, 0] : [30, 0]) {
    context.textAlign = seconds === 30 ? "left" : seconds === 0 ? "right" : "center";
    context.fillText(seconds ? `${seconds} s ago` : "now", frame.x(frame.now - seconds * 1000), frame.bottom + 6);
  }
}

function drawLine(context, frame, samples) {
  const line = new Path2D();
  const area = new Path2D();
  let last = null;
  context.fillStyle = frame.color("bad");
  for (const { time, value } of samples) {
    const x = frame.x(time);
    if (value === null) {
      context.fillRect(x - 1, MARGIN.top, 2, frame.bottom - MARGIN.top);
      continue;
    }
    const y = frame.y(value);
    if (last === null) {
      line.moveTo(x, y);
      area.moveTo(x, frame.bottom);
    } else {
      line.lineTo(x, y);
    }
    area.lineTo(x, y);
    last = { x, y };
  }
  if (last === null) return;
  area.lineTo(last.x, frame.bottom);
  context.fillStyle = frame.color("accent-soft");
  context.fill(area);
  context.strokeStyle = frame.color("accent");
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.stroke(line);
  context.fillStyle = frame.color("accent");
  context.beginPath();
  context.arc(last.x, last.y, 3.5, 0, 2 * Math.PI);
  context.fill();
}

/** The next of 1, 2, 5 times a power of ten above the value. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.1)));
  return [1, 2, 5, 10].map((factor) => factor * power).find((top) => top >= value * 1.05);
}
