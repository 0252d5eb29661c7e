/** Reproducible numbers for tests: `normal` draws from N(0, scale²), `uniform` from [low, high). */
export class Random {
  private state: number;

  constructor(seed: number) {
    this.state = seed >>> 0;
  }

  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  uniform(size: number, low: number, high: number): Float64Array {
    return Float64Array.from({ length: size }, () => low + (high - low) * this.next());
  }

  normal(size: number, scale = 1): Float64Array {
    return Float64Array.from({ length: size }, () => {
      const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
      return scale * radius * Math.cos(2 * Math.PI * this.next());
    });
  }
}
