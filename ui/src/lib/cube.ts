/**
 * The local crossfilter over a release: one pass builds running sums over the active dim, every brush step then only
 * subtracts two rows of them.
 *
 * Rules held here: no DOM (the same class runs in a worker); a view ignores its own filter; sums are float64 and never
 * clamped (weights of private releases may be negative); a step over the active dim visits no cell.
 */

export type Codes = Uint8Array | Uint16Array | Uint32Array;
export type Weights = Uint32Array | Float32Array | Float64Array;

/** A half-open range of codes of the active dim. */
export type Run = readonly [number, number];

/** The runs of allowed codes in a mask. */
export function runsOf(mask: Uint8Array): Run[] {
  const runs: Run[] = [];
  let start = -1;
  for (let i = 0; i <= mask.length; i++) {
    const on = i < mask.length && mask[i] === 1;
    if (on && start < 0) start = i;
    if (!on && start >= 0) {
      runs.push([start, i]);
      start = -1;
    }
  }
  return runs;
}

export class Cube {
  /** Cells visited since the start: a brush step must not change it. */
  visited = 0;
  readonly cells: number;
  private readonly masks: Uint8Array[];
  private readonly excluding: boolean[];
  private active: number;
  private stale = true;
  private prefix: Float64Array[] = [];
  private histogram: Float64Array<ArrayBufferLike> = new Float64Array(0);
  private runs: Run[] = [];
  private ghosts: Float64Array[] | null = null;

  /**
   * @param codes one column of codes per dim, all of the same length
   * @param sizes number of codes per dim
   * @param weights the additive measure
   * @param active the dim that is being dragged (0, time, by default)
   */
  constructor(
    readonly codes: readonly Codes[],
    readonly sizes: readonly number[],
    private weights: Weights,
    active = 0,
  ) {
    this.cells = weights.length;
    this.active = active;
    this.masks = sizes.map((n) => new Uint8Array(n).fill(1));
    this.excluding = sizes.map(() => false);
    this.runs = [[0, sizes[active] as number]];
    for (const column of codes) if (column.length !== this.cells) throw new RangeError('columns differ in length');
  }

  /** Makes another dim the one whose steps are free. Costs a pass. */
  activate(dim: number): void {
    if (dim === this.active) return;
    this.active = dim;
    this.runs = runsOf(this.masks[dim] as Uint8Array);
    this.stale = true;
  }

  /** Counts another measure. Costs a pass and a new ghost. */
  weigh(weights: Weights): void {
    if (weights.length !== this.cells) throw new RangeError('weights differ in length');
    this.weights = weights;
    this.ghosts = null;
    this.stale = true;
  }

  /** Allows only the given codes of a dim (null: all). Free on the active dim, else the next read costs a pass. */
  allow(dim: number, allowed: Iterable<number> | null): void {
    const mask = this.masks[dim] as Uint8Array;
    const next = new Uint8Array(mask.length);
    if (allowed === null) next.fill(1);
    else for (const code of allowed) next[code] = 1;
    this.replace(dim, next);
  }

  /** Allows the codes in [from, to) of a dim, which for the active dim is one brush step. */
  span(dim: number, from: number, to: number): void {
    const next = new Uint8Array((this.masks[dim] as Uint8Array).length);
    next.fill(1, from, to);
    this.replace(dim, next);
  }

  private replace(dim: number, next: Uint8Array): void {
    const mask = this.masks[dim] as Uint8Array;
    if (mask.every((on, i) => on === next[i])) return;
    this.masks[dim] = next;
    this.excluding[dim] = next.includes(0);
    if (dim === this.active) this.runs = runsOf(next);
    else this.stale = true;
  }

  /** Whether a code is allowed. */
  allows(dim: number, code: number): boolean {
    return this.masks[dim]?.[code] === 1;
  }

  /** The full pass. */
  private recompute(): void {
    const { codes, sizes, weights, active, masks, cells } = this;
    const bins = sizes[active] as number;
    const tables = sizes.map((n, k) => new Float64Array(k === active ? 0 : (bins + 1) * n));
    const histogram = new Float64Array(bins);
    const others = sizes.map((_, k) => k).filter((k) => k !== active);
    const filtering = others.filter((k) => this.excluding[k]);
    const along = codes[active] as Codes;
    for (let i = 0; i < cells; i++) {
      let bad = 0;
      let which = -1;
      for (const k of filtering) {
        if ((masks[k] as Uint8Array)[(codes[k] as Codes)[i] as number] === 0) {
          which = k;
          if (++bad === 2) break;
        }
      }
      if (bad === 2) continue;
      const t = along[i] as number;
      const w = weights[i] as number;
      if (bad === 1) {
        (tables[which] as Float64Array)[(t + 1) * (sizes[which] as number) + ((codes[which] as Codes)[i] as number)]! +=
          w;
        continue;
      }
      histogram[t]! += w;
      for (const k of others) {
        (tables[k] as Float64Array)[(t + 1) * (sizes[k] as number) + ((codes[k] as Codes)[i] as number)]! += w;
      }
    }
    for (const k of others) accumulate(tables[k] as Float64Array, sizes[k] as number);
    this.visited += cells;
    this.prefix = tables;
    this.histogram = histogram;
    this.stale = false;
  }

  private settle(): void {
    if (this.stale) this.recompute();
  }

  /** Sums per code of a dim under all other filters (a view ignores its own). */
  view(dim: number): Float64Array {
    this.settle();
    if (dim === this.active) return this.histogram;
    const n = this.sizes[dim] as number;
    const table = this.prefix[dim] as Float64Array;
    const sums = new Float64Array(n);
    for (const [a, b] of this.runs) {
      for (let c = 0; c < n; c++) sums[c]! += (table[b * n + c] as number) - (table[a * n + c] as number);
    }
    return sums;
  }

  /** Sums per (code of a dim, code of the active dim), in rows of the active dim's length. */
  lane(dim: number): Float64Array {
    this.settle();
    const n = this.sizes[dim] as number;
    const bins = this.sizes[this.active] as number;
    const table = this.prefix[dim] as Float64Array;
    const cells = new Float64Array(n * bins);
    for (let t = 0; t < bins; t++) {
      for (let c = 0; c < n; c++)
        cells[c * bins + t] = (table[(t + 1) * n + c] as number) - (table[t * n + c] as number);
    }
    return cells;
  }

  /** Sums per code with no filter at all: the grey bar behind every bar. */
  ghost(dim: number): Float64Array {
    this.ghosts ??= this.countAll();
    return this.ghosts[dim] as Float64Array;
  }

  private countAll(): Float64Array[] {
    this.visited += this.cells;
    return this.codes.map((column, k) => {
      const sums = new Float64Array(this.sizes[k] as number);
      for (let i = 0; i < this.cells; i++) sums[column[i] as number]! += this.weights[i] as number;
      return sums;
    });
  }

  /** The sum under all filters. */
  total(): number {
    this.settle();
    return this.sumOver(this.runs);
  }

  /** The sum under all filters but with other runs of the active dim: what a baseline compares with. */
  sumOver(runs: readonly Run[]): number {
    this.settle();
    let sum = 0;
    for (const [a, b] of runs) for (let t = a; t < b; t++) sum += this.histogram[t] as number;
    return sum;
  }

  /** How many allowed codes of a dim have something under all filters ("organisations affected"). */
  present(dim: number): number {
    const sums = this.view(dim);
    let n = 0;
    for (let c = 0; c < sums.length; c++) if ((sums[c] as number) > 0 && this.allows(dim, c)) n++;
    return n;
  }
}

/** Turns rows of per-step sums into running sums, in place; row 0 stays zero. */
function accumulate(table: Float64Array, n: number): void {
  for (let i = n; i < table.length; i++) table[i]! += table[i - n] as number;
}
