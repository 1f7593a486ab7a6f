/**
 * Windows in time and in bins. Bins are named by their edges, so that gaps, unequal bins and revisions cost nothing.
 * An instant off the edges snaps outward: a window never silently loses part of what was asked.
 */
export interface Snapped {
  /** First and last + 1 bin. */
  from: number;
  to: number;
  /** The window was widened to whole bins. */
  moved: boolean;
  /** No part of the window lies in the release. */
  outside: boolean;
}

/** Number of the last edge at or before `at` (-1 if none). */
function edgeBefore(edges: readonly number[], at: number): number {
  let low = -1;
  let high = edges.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((edges[middle] as number) <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The bins that a window [from, to) in milliseconds touches. */
export function snapOut(edges: readonly number[], from: number, to: number): Snapped {
  const bins = edges.length - 1;
  if (bins < 1 || to <= (edges[0] as number) || from >= (edges[bins] as number)) {
    return { from: 0, to: 0, moved: false, outside: true };
  }
  const a = Math.max(0, edgeBefore(edges, from));
  const last = edgeBefore(edges, to);
  const b = Math.min(bins, edges[last] === to ? last : last + 1);
  const inside = from >= (edges[0] as number) && to <= (edges[bins] as number);
  return { from: a, to: b, moved: inside && (edges[a] !== from || edges[b] !== to), outside: false };
}

/** How many bins make up about `span` milliseconds from `bin` on (at least one). */
export function binsIn(edges: readonly number[], bin: number, span: number): number {
  const start = edges[Math.min(bin, edges.length - 2)] as number;
  const width = (edges[Math.min(bin, edges.length - 2) + 1] as number) - start;
  return Math.max(1, Math.round(span / Math.max(1, width)));
}
