/** What the hub says of private and thresholded releases, and how it is drawn: noise is shown, never clipped away. */

export interface Said {
  label: string;
  value: number | null;
  sd: number | null;
  low: number | null;
  high: number | null;
  unmeasured: number;
  basis: 'measured' | 'partly modelled' | 'not part of this release';
  sure: boolean;
  text: string;
}
export interface Box {
  release: string;
  version: number;
  measure: string;
  by: string | null;
  total: Said;
  rows: Said[];
  note: string;
}
export interface About {
  community: string;
  tier: string | null;
  version: number;
  versions: number[];
  opened: string;
  released_until: string;
  measure: string;
  privacy: { words: string; owners: number } | null;
  values: Record<string, string[]>;
}
export interface Release {
  id: string;
  kind: 'private' | 'thresholded' | 'exact';
  window: { from: string; to: string };
  dims: string[];
  about: About | null;
}
export interface Budget {
  window: { from: string; to: string };
  unit: string;
  delta: number;
  readers: {
    reader: string;
    allowed: string;
    spent: string;
    left: string;
    epsilon: number;
    life_left: string | null;
    renews: string;
  }[];
  spent: { at: string; reader: string; release: string; what: string; window: string; rho: string; epsilon: number }[];
  pooled: string;
  pooled_epsilon: number;
  words: string;
}

/** Releases that are asked box by box; exact ones have a page of their own. */
export function asked(found: readonly Release[]): Release[] {
  return found.filter((r) => r.kind !== 'exact' && r.about !== null);
}

/** The name of a release in a list. */
export function nameOf(release: Release): string {
  const how = release.kind === 'private' ? `with noise, ${release.about?.tier ?? ''}` : 'exact, large groups only';
  return `${release.about?.community ?? ''}, from ${release.window.from.slice(0, 10)}: ${how}`;
}

/** The stretch of numbers that holds every interval and 0. */
export function extent(rows: readonly Said[]): [number, number] {
  const told = rows.filter((r) => r.value !== null);
  const low = Math.min(0, ...told.map((r) => r.low ?? 0));
  const high = Math.max(0, ...told.map((r) => r.high ?? 0));
  return low === high ? [0, 1] : [low, high];
}

/** Where a number lies between the ends, 0 to 1. */
export function place(value: number, [low, high]: readonly [number, number]): number {
  return (value - low) / (high - low);
}

/** An exact fraction as a number, for the width of a bar alone. */
export function fraction(text: string): number {
  const [above, below = '1'] = text.split('/');
  return Number(above) / Number(below);
}

/** A question with one value chosen or taken back. */
export function turned(where: Record<string, string[]>, dim: string, value: string): Record<string, string[]> {
  const now = where[dim] ?? [];
  const next = now.includes(value) ? now.filter((v) => v !== value) : [...now, value];
  const rest = Object.fromEntries(Object.entries(where).filter(([key]) => key !== dim));
  return next.length ? { ...rest, [dim]: next } : rest;
}
