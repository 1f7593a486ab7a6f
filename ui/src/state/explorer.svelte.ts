/**
 * The state of the Explore page: one Filter, one release, and the answers to typed questions about the same Filter.
 *
 * Rules held here: charts come from the local cube while the cube knows every dim of the Filter; if it does not, typed
 * questions answer instead, never a picture that ignores part of the Filter. Questions are sent 250 ms after the last
 * change, the older one is aborted, and a late answer never replaces a newer one. A new epoch empties everything first.
 */
import { problemOf, type Answer, type Problem, type Query, type ReleaseInfo } from '../lib/api.ts';
import { snapOut } from '../lib/bins.ts';
import type { Window } from '../lib/brush.ts';
import type { Cube } from '../lib/cube.ts';
import {
  canonical,
  constrain,
  everything,
  fingerprint,
  fromQuery,
  pick,
  toQuery,
  valuesOf,
  windowOf,
  type Filter,
  type Pick,
} from '../lib/filter.ts';
import { count } from '../lib/format.ts';
import { cubeOf, readRelease, type Dim, type Release } from '../lib/release.ts';
import { instant, parseInstant, sayRange } from '../lib/time.ts';
import { app } from './app.svelte.ts';
import { prefs } from './prefs.svelte.ts';
import { router } from './router.svelte.ts';

const PAUSE = 250;
const CALM = 2_000;
export const PAGE_ROWS = 50;

/** What a row is asked for: what the table shows first, then what its drawer shows. */
const COLUMNS = [
  'time', 'org', 'class', 'severity', 'rule', 'family', 'src_ip', 'dst_ip', 'dst_port', 'action', 'domain',
  'sector', 'region', 'size', 'sensor', 'category', 'technique', 'tactic', 'cve', 'src_country', 'src_port',
  'dst_country', 'proto', 'app', 'count', 'bytes_in', 'bytes_out', 'host', 'user', 'url', 'user_agent', 'hash',
  'file_name', 'file_path', 'process_cmd', 'mail_from', 'mail_to', 'mail_subject', 'tls_fingerprint', 'message',
]; // prettier-ignore

/** Top-k panels: asked by typed query, because such dims never fit a cube. */
export const PANELS = [
  { by: 'src_ip', field: 'src_ip', label: 'Source address' },
  { by: 'rule', field: 'signature', label: 'Signature' },
  { by: 'domain', field: 'domain', label: 'Domain' },
] as const;

/** What the charts draw: sums by code under the Filter, and by code of everything. */
export interface Picture {
  window: Window;
  total: number;
  /** Sum in the baseline window, and its length in bins over the window's; null without a baseline. */
  base: { window: Window; total: number; scale: number } | null;
  sums: readonly Float64Array[];
  ghosts: readonly Float64Array[];
}

export interface Lacking {
  dim: string;
  value: string;
}

class Questions {
  private readonly running = new Map<string, AbortController>();

  /** Asks, aborting the older question of the same panel; null if this one was overtaken. */
  async ask(panel: string, query: Query): Promise<Answer | null> {
    this.running.get(panel)?.abort();
    const control = new AbortController();
    this.running.set(panel, control);
    try {
      const answer = await app.api.query(query, control.signal);
      return this.running.get(panel) === control ? answer : null;
    } finally {
      if (this.running.get(panel) === control) this.running.delete(panel);
    }
  }

  stop(): void {
    for (const control of this.running.values()) control.abort();
    this.running.clear();
  }
}

class Explorer {
  filter = $state.raw<Filter>(everything());
  release = $state.raw<Release | null>(null);
  info = $state.raw<ReleaseInfo | null>(null);
  picture = $state.raw<Picture | null>(null);
  /** Charts wait for typed answers (the Filter has dims the cube lacks). */
  waiting = $state(false);
  loading = $state(false);
  problem = $state.raw<Problem | null>(null);
  /** The typed questions behind the charts failed. */
  blocked = $state.raw<Problem | null>(null);
  remarks = $state.raw<string[]>([]);
  tops = $state.raw<Record<string, Answer | Problem>>({});
  topsStale = $state(false);
  rows = $state.raw<Answer | null>(null);
  rowsProblem = $state.raw<Problem | null>(null);
  rowsStale = $state(false);
  pages = $state.raw<string[]>([]);
  order = $state.raw({ column: 'time', descending: true });

  private cube: Cube | null = null;
  private readonly questions = new Questions();
  private pause: ReturnType<typeof setTimeout> | undefined;
  private frame = 0;
  private loads: AbortController | null = null;
  private expiry: ReturnType<typeof setTimeout> | undefined;
  private later: ReturnType<typeof setTimeout> | undefined;
  private behind = false;
  /** Answers that stand in for the cube, by dim number; 0 is the histogram. */
  private answered: Float64Array[] | null = null;

  /** Dims and values of the Filter that this release does not have. */
  lacking = $derived.by<Lacking[]>(() => {
    const release = this.release;
    if (!release) return [];
    return Object.entries(this.filter.dims).flatMap(([dim, constraint]) => {
      const known = release.dims.find((d) => d.key === dim);
      if (!known) return [];
      return valuesOf(constraint)
        .values.filter((value) => !known.values.includes(value))
        .map((value) => ({ dim, value }));
    });
  });

  /** Dims of the Filter outside the cube: charts then come from typed questions. */
  foreign = $derived.by<string[]>(() => {
    const release = this.release;
    if (!release) return [];
    const keys = Object.keys(this.filter.dims).filter((dim) => !release.dims.some((d) => d.key === dim));
    if (this.filter.area) keys.push('net');
    if (this.filter.alert !== null) keys.push('alert');
    return keys;
  });

  outside = $derived.by<boolean>(() => {
    const [time] = this.release?.dims ?? [];
    const window = this.wanted();
    return time && window ? snapOut(time.edges, ...window).outside : false;
  });

  get watermark(): number {
    return parseInstant(this.release?.provenance.watermark ?? '') ?? 0;
  }

  private wanted(): [number, number] | null {
    return windowOf(this.filter, this.watermark);
  }

  /** The categorical dims, with their number in the cube. */
  get facets(): { dim: Dim; at: number }[] {
    return (this.release?.dims ?? []).map((dim, at) => ({ dim, at })).slice(1);
  }

  /** The dim that stands for organisations, if this reader has one. */
  get orgs(): number {
    return (this.release?.dims ?? []).findIndex((d) => d.kind === 'org');
  }

  /** Reads the Filter from the address and the release from the hub. */
  async open(): Promise<void> {
    this.readAddress();
    await this.load();
  }

  readAddress(): void {
    const { filter, problems } = fromQuery(router.search);
    this.filter = filter;
    this.remarks = problems;
  }

  /** Back or Forward: the address leads. */
  revisit(): void {
    this.readAddress();
    this.apply();
    this.askSoon(0);
  }

  /** Empties everything that was fetched. */
  drop(): void {
    this.questions.stop();
    this.loads?.abort();
    clearTimeout(this.pause);
    clearTimeout(this.expiry);
    clearTimeout(this.later);
    this.later = undefined;
    this.release = null;
    this.cube = null;
    this.info = null;
    this.picture = null;
    this.answered = null;
    this.tops = {};
    this.rows = null;
    this.pages = [];
    this.waiting = false;
  }

  /** Fetches the release of the Filter's basis; the old picture stays (dimmed) until the new one is there. */
  async load(tries = 3): Promise<void> {
    this.loads?.abort();
    clearTimeout(this.later);
    this.later = undefined;
    this.behind = false;
    const control = new AbortController();
    this.loads = control;
    this.loading = true;
    this.problem = null;
    try {
      const found = await app.api.releases(control.signal);
      const info = found.find((r) => r.kind === this.filter.basis) ?? null;
      this.info = info;
      if (!info) {
        this.release = null;
        this.cube = null;
        this.picture = null;
      } else if (info.id === this.release?.id) {
        this.waitForExpiry();
        return;
      } else {
        const release = readRelease(await app.api.release(info.id, control.signal));
        this.release = release;
        this.cube = cubeOf(release, this.filter.measure);
        this.answered = null;
      }
      this.apply();
      // Whoever is reading an older page is left there.
      this.askSoon(0, this.pages.length > 0);
      this.waitForExpiry();
    } catch (error) {
      const problem = problemOf(error);
      // A release can be replaced between naming and fetching it: then the new one is asked for.
      if (problem && [404, 410].includes(problem.status) && tries > 1)
        this.later = setTimeout(() => void this.load(tries - 1), 300);
      else if (problem) this.problem = problem;
    } finally {
      if (this.loads === control) {
        this.loads = null;
        this.loading = false;
        if (this.behind) this.catchUp();
      }
    }
  }

  /**
   * New data has arrived: read again, but never faster than every two seconds, and never by breaking off a reading that
   * is under way (or a busy hub would keep the page from ever finishing one).
   */
  catchUp(): void {
    if (this.loads) this.behind = true;
    else this.later ??= setTimeout(() => void this.load(), CALM);
  }

  /** A decision behind the release changes by the clock at `good_until`: read again then. */
  private waitForExpiry(): void {
    clearTimeout(this.expiry);
    const until = parseInstant(this.release?.provenance.good_until ?? '');
    if (until === null) return;
    const due = until - Date.now();
    // Already past: the two clocks differ, so ask at ease.
    const left = due > 0 ? Math.max(1_000, due) : 15_000;
    if (left < 2 ** 31) this.expiry = setTimeout(() => void this.load(), left);
  }

  /** Takes a new Filter: the address, the charts, then the questions. */
  set(filter: Filter, push = true): void {
    const before = fingerprint(this.filter);
    this.filter = canonical(filter);
    router.write(toQuery(this.filter), push);
    this.remarks = [];
    if (fingerprint(this.filter) === before) return;
    this.apply();
    this.askSoon();
  }

  pick(dim: string, value: string, how: Pick): void {
    this.set(pick(this.filter, dim, value, how));
    this.announce();
  }

  lift(dim: string, value: string): void {
    const { values, excluded } = valuesOf(this.filter.dims[dim]);
    const left = values.filter((v) => v !== value);
    this.set(constrain(this.filter, dim, excluded ? { not: left } : { in: left }));
    this.announce();
  }

  clear(): void {
    this.set({ ...everything(), basis: this.filter.basis, measure: this.filter.measure });
    this.announce();
  }

  /**
   * A step of the brush only subtracts and redraws; its end is one step of the history, which Back undoes. (The address
   * is not rewritten on the way: that would overwrite the step before.)
   */
  brush(window: Window | null, end: boolean): void {
    const time = this.release?.dims[0];
    if (!time) return;
    const span = window ? this.interval(time, window) : null;
    this.filter = canonical({ ...this.filter, time: span });
    if (!end) {
      this.redraw();
      return;
    }
    router.write(toQuery(this.filter), true);
    this.apply();
    this.askSoon();
    this.announce();
  }

  brushBase(window: Window | null, end: boolean): void {
    const time = this.release?.dims[0];
    if (!time) return;
    this.filter = canonical({ ...this.filter, base: window ? this.interval(time, window) : null });
    if (end) router.write(toQuery(this.filter), true);
    this.redraw();
  }

  private interval(time: Dim, [a, b]: Window): { from: string; to: string } {
    return { from: instant(time.edges[a] as number), to: instant(time.edges[b] as number) };
  }

  /** The window in bins; everything where the Filter has none. */
  private window(): Window {
    const time = this.release?.dims[0];
    if (!time) return [0, 0];
    const wanted = this.wanted();
    if (!wanted) return [0, time.n];
    const { from, to } = snapOut(time.edges, ...wanted);
    return [from, to];
  }

  /** Brings the cube's masks to the Filter and draws; asks instead where the cube cannot answer. */
  private apply(): void {
    const { release, cube } = this;
    if (!release || !cube) return;
    this.noteSnapping();
    this.blocked = null;
    if (this.foreign.length) {
      this.waiting = true;
      this.redraw();
      return;
    }
    this.answered = null;
    this.waiting = false;
    release.dims.forEach((dim, at) => {
      if (at === 0) return;
      const { values, excluded } = valuesOf(this.filter.dims[dim.key]);
      if (!values.length) cube.allow(at, null);
      else
        cube.allow(
          at,
          dim.values.flatMap((v, code) => (values.includes(v) !== excluded ? [code] : [])),
        );
    });
    this.redraw();
  }

  private noteSnapping(): void {
    const time = this.release?.dims[0];
    if (!time || !this.filter.time || 'last' in this.filter.time) return;
    const wanted = this.wanted();
    if (!wanted) return;
    const snapped = snapOut(time.edges, ...wanted);
    if (!snapped.moved) return;
    this.filter = canonical({ ...this.filter, time: this.interval(time, [snapped.from, snapped.to]) });
    router.write(toQuery(this.filter), false);
    this.remarks = [...this.remarks, 'The time window was widened to whole bins of this release.'];
  }

  private redraw(): void {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  private draw(): void {
    const { release, cube } = this;
    if (!release || !cube) return;
    const window = this.window();
    const ghosts = release.dims.map((_, at) => cube.ghost(at));
    if (this.foreign.length) {
      if (!this.answered) return;
      const hist = this.answered[0] as Float64Array;
      this.picture = {
        window,
        total: sumOf(hist, window),
        base: this.against(hist, window),
        sums: this.answered,
        ghosts,
      };
      return;
    }
    cube.span(0, ...window);
    const sums = release.dims.map((_, at) => cube.view(at));
    this.picture = { window, total: cube.total(), base: this.against(sums[0] as Float64Array, window), sums, ghosts };
  }

  private against(hist: Float64Array, window: Window): Picture['base'] {
    const time = this.release?.dims[0];
    const { base } = this.filter;
    if (!time || !base || typeof base === 'string') return null;
    const snapped = snapOut(time.edges, parseInstant(base.from) ?? 0, parseInstant(base.to) ?? 0);
    if (snapped.outside) return null;
    const other: Window = [snapped.from, snapped.to];
    const length = ([a, b]: Window): number => (time.edges[b] as number) - (time.edges[a] as number);
    return { window: other, total: sumOf(hist, other), scale: length(window) / length(other) };
  }

  /**
   * How many organisations are seen in the selection, and whether there are more behind "withheld"; null where this
   * reader is shown none.
   */
  present(): { named: number; more: boolean } | null {
    const at = this.orgs;
    const sums = this.picture?.sums[at];
    const dim = this.release?.dims[at];
    if (at < 0 || !sums || !dim) return null;
    const { values, excluded } = valuesOf(this.filter.dims[dim.key]);
    const counted = dim.values.filter(
      (v, c) => (sums[c] as number) > 0 && (!values.length || values.includes(v) !== excluded),
    );
    const named = counted.filter((v) => dim.withheld === null || v !== dim.values[dim.withheld]).length;
    return dim.n === 1 && dim.withheld !== null ? null : { named, more: named < counted.length };
  }

  announce(): void {
    requestAnimationFrame(() =>
      requestAnimationFrame(() => {
        const time = this.release?.dims[0];
        if (!this.picture || !time || this.waiting) return;
        const [a, b] = this.picture.window;
        const when = b > a ? sayRange(time.edges[a] as number, time.edges[b] as number, prefs.clock) : 'no time';
        app.say(`${when}: ${count(this.picture.total, 'event')}.`);
      }),
    );
  }

  /** Questions follow the last change by a moment, so that a drag asks once. */
  private askSoon(pause = PAUSE, keepRows = false): void {
    clearTimeout(this.pause);
    this.rowsStale = !keepRows;
    this.topsStale = true;
    if (!keepRows) this.pages = [];
    this.pause = setTimeout(() => void this.ask(keepRows), pause);
  }

  private async ask(keepRows: boolean): Promise<void> {
    const filter = this.filter;
    await Promise.all([
      keepRows ? undefined : this.askRows(),
      this.askTops(filter),
      this.foreign.length ? this.askCharts(filter) : undefined,
    ]);
  }

  private async askTops(filter: Filter): Promise<void> {
    const inCube = new Set(this.release?.dims.map((d) => d.key));
    const found = await Promise.all(
      PANELS.filter((p) => !inCube.has(p.by)).map(async ({ by }) => {
        const own = constrain(filter, by, null);
        try {
          const answer = await this.questions.ask(`top:${by}`, { kind: 'top', by, filter: own, limit: 12 });
          return answer ? ([by, answer] as const) : null;
        } catch (error) {
          const problem = problemOf(error);
          return problem ? ([by, problem] as const) : null;
        }
      }),
    );
    if (fingerprint(filter) !== fingerprint(this.filter)) return;
    this.tops = { ...this.tops, ...Object.fromEntries(found.filter((f) => f !== null)) };
    this.topsStale = false;
  }

  /** The charts by typed questions: each view ignores its own filter, as in the cube. */
  private async askCharts(filter: Filter): Promise<void> {
    const { release } = this;
    if (!release) return;
    const bin = (this.info?.bin ?? '1h') as '1h';
    try {
      const answers = await Promise.all(
        release.dims.map((dim, at) =>
          at === 0
            ? this.questions.ask('chart:t', { kind: 'histogram', filter: { ...filter, time: null }, bin })
            : this.questions.ask(`chart:${dim.key}`, {
                kind: 'top',
                by: dim.key,
                filter: constrain(filter, dim.key, null),
                limit: 100,
              }),
        ),
      );
      if (release !== this.release || fingerprint(filter) !== fingerprint(this.filter)) return;
      if (answers.some((a) => a === null)) return;
      this.answered = answers.map((answer, at) => spread(answer as Answer, release.dims[at] as Dim));
      this.waiting = false;
      this.redraw();
    } catch (error) {
      const problem = problemOf(error);
      if (problem && fingerprint(filter) === fingerprint(this.filter)) this.blocked = problem;
    }
  }

  /** A page of rows under the same Filter; `after` is null for the first. */
  async askRows(after: string | null = null): Promise<void> {
    const filter = this.filter;
    this.rowsStale = true;
    try {
      const query: Query = {
        kind: 'rows',
        filter,
        columns: COLUMNS,
        order: this.order,
        limit: PAGE_ROWS,
        ...(after ? { after } : {}),
      };
      const answer = await this.questions.ask('rows', query);
      if (!answer || fingerprint(filter) !== fingerprint(this.filter)) return;
      this.rows = answer;
      this.rowsProblem = null;
      this.rowsStale = false;
    } catch (error) {
      const problem = problemOf(error);
      if (!problem) return;
      this.rows = null;
      this.rowsProblem = problem;
      this.rowsStale = false;
    }
  }

  async nextPage(): Promise<void> {
    const after = this.rows?.after;
    if (!after) return;
    this.pages = [...this.pages, after];
    await this.askRows(after);
    app.say(`Page ${this.pages.length + 1} of the rows.`);
  }

  async previousPage(): Promise<void> {
    this.pages = this.pages.slice(0, -1);
    await this.askRows(this.pages.at(-1) ?? null);
    app.say(`Page ${this.pages.length + 1} of the rows.`);
  }

  sortBy(column: string): void {
    const same = this.order.column === column;
    this.order = { column, descending: same ? !this.order.descending : column === 'time' };
    this.pages = [];
    void this.askRows();
  }
}

function sumOf(hist: Float64Array, [a, b]: Window): number {
  let sum = 0;
  for (let t = a; t < b; t++) sum += hist[t] as number;
  return sum;
}

/** Puts an answer's counts where the dim has its codes; bins by their instant, values by their text. */
function spread(answer: Answer, dim: Dim): Float64Array {
  const sums = new Float64Array(dim.n);
  for (const { cells } of answer.rows) {
    const value = String(cells[0]);
    const at =
      dim.kind === 'time' ? snapOut(dim.edges, parseInstant(value) ?? -1, (parseInstant(value) ?? -1) + 1) : null;
    const code = at ? (at.outside ? -1 : at.from) : dim.values.indexOf(value);
    if (code >= 0) sums[code]! += Number(cells[1]);
  }
  return sums;
}

export const explorer = new Explorer();
