/**
 * The one Filter of a view, and its address form.
 *
 * Rules held here: values are domain values as shown to this reader, never codes or bin numbers; the address form is
 * canonical (equal filters give equal text) and exact (what is written is read back, for any text); nothing of an
 * address is dropped silently: what cannot be read comes back as a problem to show. An empty list does not exist.
 * `View` state (sort, open panels) lives beside the filter under keys that begin with `~`, never inside it.
 */
import { instant, parseInstant, parseSpan, shortInstant } from './time.ts';

export type Basis = 'exact' | 'thresholded' | 'private';

export interface Interval {
  from: string;
  to: string;
}

export interface Last {
  last: string;
}

export type Constraint = { in: string[]; not?: never } | { not: string[]; in?: never };

export interface Filter {
  v: 1;
  basis: Basis;
  measure: string;
  time: Interval | Last | null;
  base: Interval | 'prev4w' | 'rest' | null;
  dims: Record<string, Constraint>;
  area: { net: string } | null;
  alert: string | null;
  compare: boolean;
}

export interface Reading {
  filter: Filter;
  /** View state: keys without their `~`. */
  view: Record<string, string>;
  /** Parts of the address that could not be read, in words. */
  problems: string[];
}

const BASES: readonly Basis[] = ['exact', 'thresholded', 'private'];
const OWN_KEYS = new Set(['basis', 'm', 't', 'b', 'net', 'alert', 'compare']);

/** The filter that constrains nothing. */
export function everything(): Filter {
  return {
    v: 1,
    basis: 'exact',
    measure: 'events',
    time: null,
    base: null,
    dims: {},
    area: null,
    alert: null,
    compare: false,
  };
}

const byCode = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** Values sorted by code unit, each once. */
function settle(values: readonly string[]): string[] {
  return [...new Set(values)].sort(byCode);
}

/** The values of a constraint and whether they are excluded. */
export function valuesOf(constraint: Constraint | undefined): { values: readonly string[]; excluded: boolean } {
  if (!constraint) return { values: [], excluded: false };
  return constraint.in ? { values: constraint.in, excluded: false } : { values: constraint.not ?? [], excluded: true };
}

function settleInterval(interval: Interval): Interval {
  const from = parseInstant(interval.from);
  const to = parseInstant(interval.to);
  return from === null || to === null ? interval : { from: instant(from), to: instant(to) };
}

/** The same filter in its one canonical form: sorted keys and values, full instants, no empty constraint. */
export function canonical(filter: Filter): Filter {
  const dims: Record<string, Constraint> = {};
  for (const key of Object.keys(filter.dims).sort(byCode)) {
    const { values, excluded } = valuesOf(filter.dims[key]);
    if (values.length)
      Object.defineProperty(dims, key, {
        value: excluded ? { not: settle(values) } : { in: settle(values) },
        enumerable: true,
        writable: true,
        configurable: true,
      });
  }
  const time = filter.time && 'from' in filter.time ? settleInterval(filter.time) : filter.time;
  const base = filter.base && typeof filter.base === 'object' ? settleInterval(filter.base) : filter.base;
  return {
    v: 1,
    basis: filter.basis,
    measure: filter.measure,
    time,
    base,
    dims,
    area: filter.area,
    alert: filter.alert,
    compare: filter.compare,
  };
}

/** A text that two filters share exactly when they are the same filter: matches answers to questions. */
export function fingerprint(filter: Filter): string {
  return JSON.stringify(canonical(filter));
}

const READABLE: Record<string, string> = { '%3A': ':', '%2F': '/', '%40': '@', '%20': '%20' };

function write(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(/%3A|%2F|%40/g, (code) => READABLE[code] as string);
}

/** A dim key in the address: `!` marks exclusion and a few names are ours, so both are escaped. */
function writeKey(key: string): string {
  const text = write(key).replaceAll('!', '%21');
  return OWN_KEYS.has(key) || key.startsWith('~') || key.startsWith('d.') || key === '' ? `d.${text}` : text;
}

function writeInterval(interval: Interval): string {
  return `${shortInstant(interval.from)}..${shortInstant(interval.to)}`;
}

/** The query part of the address (without `?`), canonical; `view` keys follow the filter. */
export function toQuery(filter: Filter, view: Record<string, string> = {}): string {
  const f = canonical(filter);
  const out: string[] = [];
  if (f.basis !== 'exact') out.push(`basis=${f.basis}`);
  if (f.measure !== 'events') out.push(`m=${write(f.measure)}`);
  if (f.time) out.push(`t=${'last' in f.time ? write(f.time.last) : writeInterval(f.time)}`);
  if (f.base) out.push(`b=${typeof f.base === 'string' ? f.base : writeInterval(f.base)}`);
  if (f.area) out.push(`net=${write(f.area.net)}`);
  if (f.alert !== null) out.push(`alert=${write(f.alert)}`);
  if (f.compare) out.push('compare=1');
  for (const key of Object.keys(f.dims)) {
    const { values, excluded } = valuesOf(f.dims[key]);
    for (const value of values) out.push(`${writeKey(key)}${excluded ? '!' : ''}=${write(value)}`);
  }
  for (const key of Object.keys(view).sort(byCode)) out.push(`~${write(key)}=${write(view[key] as string)}`);
  return out.join('&');
}

/** Percent-decoding that never throws; undefined where the text is not valid. */
function read(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function readInterval(text: string): Interval | null {
  const cut = text.indexOf('..');
  if (cut < 0) return null;
  const from = parseInstant(text.slice(0, cut));
  const to = parseInstant(text.slice(cut + 2));
  return from !== null && to !== null && from < to ? { from: instant(from), to: instant(to) } : null;
}

function readOwn(key: string, value: string, filter: Filter): boolean {
  if (key === 'basis') {
    if (!BASES.includes(value as Basis)) return false;
    filter.basis = value as Basis;
  } else if (key === 'm') {
    if (!value) return false;
    filter.measure = value;
  } else if (key === 't') {
    const time = parseSpan(value) !== null ? { last: value } : readInterval(value);
    if (!time) return false;
    filter.time = time;
  } else if (key === 'b') {
    const base = value === 'prev4w' || value === 'rest' ? value : readInterval(value);
    if (!base) return false;
    filter.base = base;
  } else if (key === 'net') {
    if (!value) return false;
    filter.area = { net: value };
  } else if (key === 'alert') filter.alert = value;
  else if (key === 'compare') filter.compare = value === '1';
  return true;
}

/** Reads an address (with or without `?`). Never throws; what cannot be read is listed in `problems`. */
export function fromQuery(search: string): Reading {
  const filter = everything();
  const view: Record<string, string> = {};
  const problems: string[] = [];
  const within = new Map<string, string[]>();
  const outside = new Map<string, string[]>();
  for (const part of search.replace(/^\?/, '').split('&')) {
    if (!part) continue;
    const cut = part.indexOf('=');
    const rawKey = cut < 0 ? part : part.slice(0, cut);
    const excluded = rawKey.endsWith('!');
    const key = read(excluded ? rawKey.slice(0, -1) : rawKey);
    const value = read(cut < 0 ? '' : part.slice(cut + 1));
    if (key === undefined || value === undefined || cut < 0 || rawKey === '') {
      problems.push(`“${part}” in the address could not be read.`);
    } else if (rawKey.startsWith('~')) {
      view[key.slice(1)] = value;
    } else if (OWN_KEYS.has(rawKey)) {
      if (!readOwn(rawKey, value, filter)) problems.push(`“${part}” in the address could not be read.`);
    } else {
      const side = excluded ? outside : within;
      const dim = rawKey.startsWith('d.') ? key.slice(2) : key;
      side.set(dim, [...(side.get(dim) ?? []), value]);
    }
  }
  for (const dim of settle([...within.keys(), ...outside.keys()])) {
    const no = outside.get(dim) ?? [];
    const yes = within.get(dim);
    const kept = yes?.filter((v) => !no.includes(v)) ?? [];
    if (yes && no.length) problems.push(`The address both asks for and excludes values of “${dim}”.`);
    const constraint: Constraint = yes ? { in: kept.length ? kept : yes } : { not: no };
    Object.defineProperty(filter.dims, dim, {
      value: constraint,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return { filter: canonical(filter), view, problems };
}

/** The filter with a dim's constraint replaced; an empty or absent constraint is removed. */
export function constrain(filter: Filter, dim: string, constraint: Constraint | null): Filter {
  const dims = { ...filter.dims };
  delete dims[dim];
  if (constraint && valuesOf(constraint).values.length) dims[dim] = constraint;
  return canonical({ ...filter, dims });
}

export type Pick = 'toggle' | 'exclude';

/**
 * What a click on a value does. Toggle: on a free dim only this value; on a chosen one it adds or takes away; on an
 * excluding dim it lifts or adds the exclusion. Exclude: the value is never shown.
 */
export function pick(filter: Filter, dim: string, value: string, how: Pick): Filter {
  const { values, excluded } = valuesOf(filter.dims[dim]);
  const has = values.includes(value);
  const others = values.filter((v) => v !== value);
  if (how === 'exclude') {
    if (excluded) return constrain(filter, dim, { not: has ? others : [...values, value] });
    return constrain(filter, dim, has && others.length ? { in: others } : { not: [value] });
  }
  if (excluded) return constrain(filter, dim, has ? { not: others } : { in: [value] });
  return constrain(filter, dim, { in: has ? others : [...values, value] });
}

/** How many things constrain the view. */
export function constraints(filter: Filter): number {
  return (
    Object.keys(filter.dims).length + (filter.time ? 1 : 0) + (filter.area ? 1 : 0) + (filter.alert !== null ? 1 : 0)
  );
}

/** The window in milliseconds: an interval as it is, a span counted back from the watermark; null is all time. */
export function windowOf(filter: Filter, watermark: number): [number, number] | null {
  if (!filter.time) return null;
  if ('last' in filter.time) return [watermark - (parseSpan(filter.time.last) ?? 0), watermark];
  return [parseInstant(filter.time.from) ?? 0, parseInstant(filter.time.to) ?? 0];
}
