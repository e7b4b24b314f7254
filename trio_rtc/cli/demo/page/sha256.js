// Incremental SHA-256 (FIPS 180-4): crypto.subtle accepts only whole messages, and only on secure origins.

const primes = [];
for (let n = 2; primes.length < 64; n++) {
  if (primes.every((prime) => n % prime)) primes.push(n);
}
const fraction = (number) => Math.floor((number - Math.floor(number)) * 2 ** 32);
const K = Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const START = Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const BLOCK = 64;

export class Sha256 {
  #state = START.slice();
  #words = new Uint32Array(64);
  #rest = new Uint8Array(BLOCK);
  #restLength = 0;
  #length = 0;

  update(bytes) {
    this.#length += bytes.length;
    let start = 0;
    if (this.#restLength) {
      start = Math.min(BLOCK - this.#restLength, bytes.length);
      this.#rest.set(bytes.subarray(0, start), this.#restLength);
      this.#restLength += start;
      if (this.#restLength < BLOCK) return;
      this.#compress(this.#rest, 0);
      this.#restLength = 0;
    }
    for (; start + BLOCK <= bytes.length; start += BLOCK) this.#compress(bytes, start);
    this.#rest.set(bytes.subarray(start));
    this.#restLength = bytes.length - start;
  }

  /** Ends the message and returns the digest in hexadecimal. */
  hex() {
    const bits = BigInt(this.#length) * 8n;
    const padding = new Uint8Array(((this.#restLength < 56 ? 56 : 120) - this.#restLength) + 8);
    padding[0] = 0x80;
    new DataView(padding.buffer).setBigUint64(padding.length - 8, bits);
    this.update(padding);
    return [...this.#state].map((word) => word.toString(16).padStart(8, "0")).join("");
  }

  #compress(bytes, start) {
    const w = this.#words;
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, BLOCK);
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(i * 4);
    for (let i = 16; i < 64; i++) {
      const a = w[i - 15];
      const b = w[i - 2];
      const s0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
      const s1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
      w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    let [a, b, c, d, e, f, g, h] = this.#state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => { this.#state[i] += word; });
  }
}
