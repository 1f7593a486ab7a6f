/**
 * What stands out in a selection: the answer's shape, and its words.
 *
 * Rules held here: a finding is said with its organisations, its effect and its certainty, never with the effect alone;
 * its values are those a Filter asks for.
 */
import { constrain, type Filter } from './filter.ts';
import { count, full } from './format.ts';
import { sayValue } from './names.ts';

export interface Value {
  dim: string;
  label: string;
  value: string;
}

export interface Finding {
  more: boolean;
  values: Value[];
  also: Value[];
  incidents: number;
  expected: number;
  times: number;
  organisations: number;
  organisations_before: number;
  p: number;
  text: string;
}

export interface Explained {
  query: string;
  watermark: string;
  against: 'interval' | 'prev4w' | 'rest' | 'filter';
  against_text: string;
  selection: { events: number; incidents: number; organisations: number; left_out: number };
  baseline: { events: number; incidents: number; organisations: number; left_out: number };
  silent: number;
  compared: string[];
  tested: number;
  fdr: number;
  findings: Finding[];
  notes: string[];
}

/** Whether anything is selected that could be compared. */
export function selects(filter: Filter): boolean {
  return filter.time !== null || filter.area !== null || Object.keys(filter.dims).length > 0;
}

/** The selection narrowed to a finding's values. */
export function narrowed(filter: Filter, finding: Finding): Filter {
  return finding.values.reduce((made, { dim, value }) => constrain(made, dim, { in: [value] }), filter);
}

/** "malware family GrayWeasel with destination port 445". */
export function sayValues(values: readonly Value[]): string {
  return values.map(({ dim, label, value }) => `${label} ${sayValue(dim, value)}`).join(' with ');
}

/** "5.2 times", "more than 100 times". */
export function sayTimes(ratio: number): string {
  if (ratio > 100) return 'more than 100 times';
  return `${ratio < 9.95 ? ratio.toFixed(1) : Math.round(ratio)} times`;
}

/** "5.2 times as often as in everything else", "gone, seen by 7 organisations before". */
export function sayEffect(finding: Finding, against: string): string {
  const { more, incidents, times, expected, organisations_before } = finding;
  if (!more && incidents === 0) return `gone; ${count(organisations_before, 'organisation')} had it in ${against}`;
  if (more && expected === 0) return `never seen in ${against}`;
  return more ? `${sayTimes(times)} as often as in ${against}` : `${sayTimes(1 / times)} less often than in ${against}`;
}

/** "240 incidents where 48 would be usual". */
export function sayAmount({ incidents, expected }: Finding): string {
  const usual = expected < 9.95 ? expected.toFixed(1).replace(/\.0$/, '') : full(Math.round(expected));
  return `${count(incidents, 'incident')} where ${usual} would be usual`;
}

/** "chance: less than 1 in 10,000": the adjusted p-value in words that do not pretend to more. */
export function sayChance(p: number): string {
  for (const odds of [1_000_000, 100_000, 10_000, 1_000]) if (p <= 1 / odds) return `less than 1 in ${full(odds)}`;
  return `less than 1 in ${full(Math.max(1, Math.floor(1 / p / 10) * 10))}`;
}
