/** What the planner of private releases is asked and answers, and the words and points that the page makes of it. */

export type Step = 'window' | 'week' | 'day';
export type Where = 'region' | 'everywhere';

export interface Outbreak {
  kind: 'outbreak';
  members: number;
  days: number | null;
  where: Where;
  chance: number;
}
export interface Exact {
  kind: 'view';
  step: Step;
  by: string[];
  within: number;
}
export interface AskPlan {
  community: { members: number; regions: number };
  wanted?: (Outbreak | Exact)[];
  budget?: string;
  alerts?: number;
}
export interface Cost {
  rho: string;
  cube: string;
  alerts: string;
  epsilon: number;
  delta: number;
  guess_rate: number;
  year_rho: number;
  year_epsilon: number;
}
export interface Expected {
  view: string;
  cells: number;
  mean: number;
  margin: number;
  error: number;
}
export interface Visible {
  where: Where;
  days: number | null;
  half: number;
  most: number;
  nearly_all: number;
  curve: [number, number][];
}
export interface Planned {
  cost: Cost | null;
  profile: string | null;
  views: Expected[];
  outbreaks: Visible[];
  refused: { what: string; why: string; todo: string }[];
  words: string[];
}

/** A budget slider moves in ratios: 0 to 100 is 1/1000 to 1, with two digits that count. */
export function budgetAt(position: number): number {
  const exponent = (Math.min(100, Math.max(0, position)) / 100) * 3 - 3;
  return Number((10 ** exponent).toPrecision(2));
}

/** Where the slider stands for a budget. */
export function positionOf(budget: number): number {
  return Math.round(((Math.log10(Math.min(1, Math.max(0.001, budget))) + 3) / 3) * 100);
}

/** An exact fraction as a number. */
export function numberOf(fraction: string): number {
  const [top, bottom] = fraction.split('/');
  return Number(top) / Number(bottom ?? 1);
}

/** How readable a view is, in the words of the planner. */
export function verdict(error: number): 'readable' | 'rough' | 'worse than a guess' {
  return error <= 0.35 ? 'readable' : error <= 1 ? 'rough' : 'worse than a guess';
}

/** The points of a curve in a box of this size; sizes from 0 to `most`, chances from the floor up. */
export function points(curve: readonly [number, number][], most: number, width: number, height: number): string {
  return curve
    .filter(([size]) => size <= most)
    .map(([size, chance]) => `${((size / most) * width).toFixed(1)},${((1 - chance) * height).toFixed(1)}`)
    .join(' ');
}

/** The chance of being seen at a size, between the points that were computed. */
export function chanceAt(curve: readonly [number, number][], size: number): number {
  let before: readonly [number, number] = [0, 0];
  for (const point of curve) {
    if (point[0] >= size) {
      const share = (size - before[0]) / Math.max(1e-9, point[0] - before[0]);
      return before[1] + share * (point[1] - before[1]);
    }
    before = point;
  }
  return before[1];
}
