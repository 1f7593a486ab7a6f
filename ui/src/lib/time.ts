/**
 * Instants, spans and axis ticks.
 *
 * Rules held here: all times are UTC instants in milliseconds or RFC 3339 text; ranges are half-open; the local clock of
 * the browser is used only where a reader switched to it; nothing here reads the wall clock.
 */

export type Clock = 'utc' | 'local';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const INSTANT = /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2})(?::(\d{2})(\.\d{1,9})?)?Z)?$/;
const SPAN = /^([1-9]\d{0,4})(m|h|d|w)$/;
const UNITS: Record<string, number> = { m: MINUTE, h: HOUR, d: DAY, w: 7 * DAY };
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Milliseconds since 1970 of an RFC 3339 UTC instant (date, minute, second or fraction form), or null. */
export function parseInstant(text: string): number | null {
  const match = INSTANT.exec(text);
  if (!match) return null;
  const [, day, minute = '00:00', second = '00', fraction = ''] = match;
  const at = Date.parse(`${day}T${minute}:${second}${fraction.slice(0, 4)}Z`);
  if (Number.isNaN(at)) return null;
  // Date.parse rolls 31 February over; a calendar that does not exist is refused.
  return new Date(at).toISOString().startsWith(`${day}T${minute}:${second}`) ? at : null;
}

/** The full form used in requests: `2026-11-06T00:00:00Z`, with milliseconds only where they are not zero. */
export function instant(at: number): string {
  return new Date(at).toISOString().replace('.000Z', 'Z');
}

/** The short form used in addresses: `2026-11-06T00:00Z` where the seconds are zero. */
export function shortInstant(text: string): string {
  return text.replace(/(T\d{2}:\d{2}):00(?:\.0+)?Z$/, '$1Z');
}

/** Length of a span such as `7d`, `24h`, `30m`, `2w` in milliseconds, or null. */
export function parseSpan(text: string): number | null {
  const match = SPAN.exec(text);
  return match ? Number(match[1]) * (UNITS[match[2] as string] as number) : null;
}

/** A span in words: `7d` is "last 7 days". */
export function spanInWords(text: string): string {
  const match = SPAN.exec(text);
  if (!match) return text;
  const words: Record<string, string> = { m: 'minute', h: 'hour', d: 'day', w: 'week' };
  const n = Number(match[1]);
  return n === 1 ? `last ${words[match[2] as string]}` : `last ${n} ${words[match[2] as string]}s`;
}

interface Parts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
}

function parts(at: number, clock: Clock): Parts {
  const d = new Date(at);
  return clock === 'utc'
    ? {
        year: d.getUTCFullYear(),
        month: d.getUTCMonth(),
        day: d.getUTCDate(),
        hour: d.getUTCHours(),
        minute: d.getUTCMinutes(),
        second: d.getUTCSeconds(),
      }
    : {
        year: d.getFullYear(),
        month: d.getMonth(),
        day: d.getDate(),
        hour: d.getHours(),
        minute: d.getMinutes(),
        second: d.getSeconds(),
      };
}

const two = (n: number): string => String(n).padStart(2, '0');

/** "6 Nov 00:00"; with `year` "6 Nov 2026 00:00"; seconds where they are not zero or wanted. */
export function sayInstant(at: number, clock: Clock = 'utc', year = false, precise = false): string {
  const p = parts(at, clock);
  const seconds = precise || p.second ? `:${two(p.second)}` : '';
  return `${p.day} ${MONTHS[p.month]}${year ? ` ${p.year}` : ''} ${two(p.hour)}:${two(p.minute)}${seconds}`;
}

/** "19 Nov 06:00 UTC" or the same without a zone on the local clock. */
export function sayMoment(at: number, clock: Clock = 'utc', year = false): string {
  return `${sayInstant(at, clock, year)} ${clock === 'utc' ? 'UTC' : 'local time'}`;
}

/** A half-open range in inclusive words: whole days read "6 to 18 Nov", others "6 Nov 00:00 to 7 Nov 06:00". */
export function sayRange(from: number, to: number, clock: Clock = 'utc'): string {
  const a = parts(from, clock);
  const b = parts(to, clock);
  const whole = !a.hour && !a.minute && !a.second && !b.hour && !b.minute && !b.second && to > from;
  if (!whole) return `${sayInstant(from, clock)} to ${sayInstant(to, clock)}`;
  const last = parts(to - 1, clock);
  if (a.year === last.year && a.month === last.month && a.day === last.day) return `${a.day} ${MONTHS[a.month]}`;
  const start = a.month === last.month && a.year === last.year ? `${a.day}` : `${a.day} ${MONTHS[a.month]}`;
  return `${start} to ${last.day} ${MONTHS[last.month]}`;
}

/** "3 min ago", "2 h ago", "5 d ago", "just now"; the caller brings both instants. */
export function sayAgo(at: number, now: number): string {
  const gap = Math.max(0, now - at);
  if (gap < MINUTE) return 'just now';
  if (gap < HOUR) return `${Math.floor(gap / MINUTE)} min ago`;
  if (gap < DAY) return `${Math.floor(gap / HOUR)} h ago`;
  return `${Math.floor(gap / DAY)} d ago`;
}

const STEPS = [5, 15, 30]
  .map((n) => n * MINUTE)
  .concat(
    [1, 3, 6, 12].map((n) => n * HOUR),
    [1, 2, 7, 14, 28].map((n) => n * DAY),
  );

export interface Tick {
  at: number;
  label: string;
  major: boolean;
}

/** At most `most` ticks on round instants inside [from, to); days are major where hours are shown. */
export function ticks(from: number, to: number, most: number, clock: Clock = 'utc'): Tick[] {
  if (!(to > from) || most < 1) return [];
  const step = STEPS.find((s) => (to - from) / s <= most) ?? Math.ceil((to - from) / most / (28 * DAY)) * 28 * DAY;
  const offset = clock === 'local' ? new Date(from).getTimezoneOffset() * MINUTE : 0;
  // 1970-01-05 was a Monday: week steps start on Mondays.
  const origin = (step >= 7 * DAY ? 4 * DAY : 0) + offset;
  const found: Tick[] = [];
  for (let at = Math.ceil((from - origin) / step) * step + origin; at < to; at += step) {
    const p = parts(at, clock);
    const midnight = p.hour === 0 && p.minute === 0;
    const label = midnight ? `${p.day} ${MONTHS[p.month]}` : `${two(p.hour)}:${two(p.minute)}`;
    found.push({ at, label, major: midnight });
  }
  return found;
}
