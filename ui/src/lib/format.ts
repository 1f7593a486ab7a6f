/**
 * Numbers as people read them (display rule 8): below 1,000 whole, then 1.2k, 34k, 1.08M; the full value beside it in
 * tooltips and tables. Sums are never clamped; only what is drawn or said is.
 */

const GROUPED = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** The full value with separators: 12,310. */
export function full(value: number): string {
  return GROUPED.format(Math.round(value) || 0);
}

/** The short value. A negative estimate is said as "≈ 0"; the full value belongs in the table. */
export function short(value: number): string {
  if (value < -0.5) return '≈ 0';
  const n = Math.round(value) || 0;
  if (n < 1_000) return String(n);
  if (n < 9_950) return `${(n / 1_000).toFixed(1)}k`;
  if (n < 999_500) return `${Math.round(n / 1_000)}k`;
  if (n < 9_995_000) return `${(n / 1_000_000).toFixed(2)}M`;
  if (n < 99_950_000) return `${(n / 1_000_000).toFixed(1)}M`;
  return `${Math.round(n / 1_000_000)}M`;
}

/** "12 %", with one decimal below ten; "<0.1 %" instead of a false zero. */
export function share(part: number, whole: number): string {
  if (!(whole > 0) || part <= 0) return '0 %';
  const percent = (100 * part) / whole;
  if (percent < 0.1) return '<0.1 %';
  return percent < 9.95 ? `${percent.toFixed(1)} %` : `${Math.round(percent)} %`;
}

/** "3.1 times", "0.4 times": a ratio of rates. */
export function ratio(value: number): string {
  if (!Number.isFinite(value)) return '';
  return `${value >= 9.95 ? Math.round(value) : value.toFixed(1)}×`;
}

/** "1 row", "2 rows"; the plural may be given. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${full(n)} ${n === 1 ? one : many}`;
}

/** "1 minute" scale sizes of stored things: 1.4 MB. */
export function bytes(n: number): string {
  if (n < 1_000) return `${n} B`;
  if (n < 1_000_000) return `${(n / 1_000).toFixed(1)} kB`;
  return `${(n / 1_000_000).toFixed(1)} MB`;
}
