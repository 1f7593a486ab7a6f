/**
 * The small arithmetic of drawing: positions of bins on an axis that may have gaps and unequal bins, bar lengths, round
 * axis maxima. Clipping for drawing happens here and nowhere else.
 */

/** Length in [0, 1] of a bar; negatives draw as nothing, an empty domain as nothing. */
export function barLength(value: number, max: number): number {
  return max > 0 ? Math.min(1, Math.max(0, value / max)) : 0;
}

/** The next 1, 2 or 5 times a power of ten at or above `value`. */
export function niceMax(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 2.5, 5, 10]) if (value <= step * power * (1 + 1e-12)) return step * power;
  return 10 * power;
}

/** A linear map of bin edges (instants) onto [0, width]; `bins` is the shown range of bin numbers, half-open. */
export class TimeScale {
  readonly from: number;
  readonly to: number;

  constructor(
    readonly edges: ArrayLike<number>,
    readonly width: number,
    readonly bins: readonly [number, number] = [0, edges.length - 1],
  ) {
    this.from = edges[bins[0]] as number;
    this.to = edges[bins[1]] as number;
  }

  /** Pixel of an instant (outside the range it lies outside [0, width]). */
  x(at: number): number {
    return this.to > this.from ? ((at - this.from) / (this.to - this.from)) * this.width : 0;
  }

  /** Pixel of the left edge of a bin. */
  left(bin: number): number {
    return this.x(this.edges[bin] as number);
  }

  /** The bin under a pixel, kept inside the shown range. */
  bin(x: number): number {
    const at = this.from + (x / Math.max(1, this.width)) * (this.to - this.from);
    let low = this.bins[0];
    let high = this.bins[1] - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.edges[middle] as number) <= at) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The edge number nearest to a pixel. */
  edge(x: number): number {
    const bin = this.bin(x);
    return x - this.left(bin) > this.left(bin + 1) - x ? bin + 1 : bin;
  }
}
