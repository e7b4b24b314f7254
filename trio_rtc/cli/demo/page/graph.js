// A graph of the measurements of the last 30 seconds.

const SPAN = 30_000;
const MARGIN = { right: 8, top: 10, bottom: 22 };

export class Graph {
  #canvas;
  #unit;
  #colors;
  #samples = []; // {time, values}: one value for each line; null: lost, undefined: none

  /** The colors of the lines are those of the style sheet; a single line is filled below. */
  constructor(canvas, { unit, colors = ["accent"] }) {
    this.#canvas = canvas;
    this.#unit = unit;
    this.#colors = colors;
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  add(...values) {
    const now = performance.now();
    this.#samples.push({ time: now, values });
    while (this.#samples[0].time < now - SPAN) this.#samples.shift();
    this.draw();
  }

  /** Returns the statistics of a line's visible samples: {now, median, worst, lost}. */
  summary(line = 0) {
    const values = this.#samples.map(({ values }) => values[line]).filter(Number.isFinite);
    const lost = this.#samples.filter(({ values }) => values[line] === null).length;
    const sorted = [...values].sort((a, b) => a - b);
    return {
      now: values.at(-1),
      median: sorted[Math.floor(sorted.length / 2)],
      worst: sorted.at(-1),
      lost,
    };
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    const scale = devicePixelRatio || 1;
    this.#canvas.width = Math.round(width * scale);
    this.#canvas.height = Math.round(height * scale);
    const context = this.#canvas.getContext("2d");
    context.scale(scale, scale);
    const top = niceTop(Math.max(...this.#colors.map((_, line) => this.summary(line).worst ?? 0)) || 1);
    const now = performance.now();
    const left = 54 + 4 * this.#unit.length; // for the longest label
    const frame = {
      x: (time) => width - MARGIN.right - ((now - time) / SPAN) * (width - left - MARGIN.right),
      y: (value) => height - MARGIN.bottom - (value / top) * (height - MARGIN.top - MARGIN.bottom),
      left,
      right: width - MARGIN.right,
      bottom: height - MARGIN.bottom,
      now,
      top,
      unit: this.#unit,
      color: (name) => getComputedStyle(this.#canvas).getPropertyValue(`--${name}`),
    };
    drawAxes(context, frame);
    for (const [line, color] of this.#colors.entries()) {
      const samples = this.#samples.map(({ time, values }) => ({ time, value: values[line] }));
      drawLine(context, frame, samples, color, this.#colors.length === 1);
    }
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
    context.moveTo(frame.left, y);
    context.lineTo(frame.right, y);
    context.stroke();
    context.fillText(`${Number((frame.top * share).toPrecision(3))} ${frame.unit}`, frame.left - 8, y);
  }
  context.textBaseline = "top";
  for (const seconds of frame.right > 500 ? [30, 20, 10, 0] : [30, 0]) {
    context.textAlign = seconds === 30 ? "left" : seconds === 0 ? "right" : "center";
    context.fillText(seconds ? `${seconds} s ago` : "now", frame.x(frame.now - seconds * 1000), frame.bottom + 6);
  }
}

function drawLine(context, frame, samples, color, filled) {
  const line = new Path2D();
  const area = new Path2D();
  let last = null;
  context.fillStyle = frame.color("bad");
  for (const { time, value } of samples) {
    const x = frame.x(time);
    if (value === undefined) continue;
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
  if (filled) {
    context.fillStyle = frame.color(`${color}-soft`);
    context.fill(area);
  }
  context.strokeStyle = frame.color(color);
  context.lineWidth = 2;
  context.lineJoin = "round";
  context.stroke(line);
  context.fillStyle = frame.color(color);
  context.beginPath();
  context.arc(last.x, last.y, 3.5, 0, 2 * Math.PI);
  context.fill();
}

/** The next of 1, 2, 5 times a power of ten above the value. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 0.1)));
  return [1, 2, 5, 10, 20].map((factor) => factor * power).find((top) => top >= value * 1.05);
}
