import { describe, expect, test } from 'vitest';
import { binsIn, snapOut } from './bins.ts';
import { DAY, HOUR, MINUTE, instant, parseInstant, parseSpan, sayAgo, sayRange, shortInstant, ticks } from './time.ts';

const at = (text: string): number => parseInstant(text)!;

describe('instants', () => {
  test('several forms of one instant are read, others are refused', () => {
    expect(at('2026-11-06')).toBe(at('2026-11-06T00:00Z'));
    expect(at('2026-11-06T00:00Z')).toBe(at('2026-11-06T00:00:00.000Z'));
    for (const bad of ['', '2026-11-06T00:00', '2026-11-06T00:00+01:00', '2026-02-30', 'now', '2026-13-01']) {
      expect(parseInstant(bad), bad).toBeNull();
    }
  });

  test('short and full forms', () => {
    expect(instant(at('2026-11-06T01:02Z'))).toBe('2026-11-06T01:02:00Z');
    expect(shortInstant('2026-11-06T01:02:00Z')).toBe('2026-11-06T01:02Z');
    expect(shortInstant('2026-11-06T01:02:03Z')).toBe('2026-11-06T01:02:03Z');
  });

  test('spans', () => {
    expect(parseSpan('7d')).toBe(7 * DAY);
    expect(parseSpan('30m')).toBe(30 * MINUTE);
    for (const bad of ['0d', '7', 'd', '-1d', '1y']) expect(parseSpan(bad)).toBeNull();
  });

  test('half-open ranges are said inclusively', () => {
    expect(sayRange(at('2026-11-06'), at('2026-11-19'))).toBe('6 to 18 Nov');
    expect(sayRange(at('2026-11-06'), at('2026-11-07'))).toBe('6 Nov');
    expect(sayRange(at('2026-10-30'), at('2026-11-02'))).toBe('30 Oct to 1 Nov');
    expect(sayRange(at('2026-11-06'), at('2026-11-06T06:00Z'))).toBe('6 Nov 00:00 to 6 Nov 06:00');
  });

  test('ages', () => {
    expect(sayAgo(0, 30_000)).toBe('just now');
    expect(sayAgo(0, 5 * HOUR)).toBe('5 h ago');
  });

  test('ticks are round, few and inside', () => {
    const from = at('2026-11-06T03:10Z');
    for (const span of [2 * HOUR, DAY, 9 * DAY, 60 * DAY, 900 * DAY]) {
      const found = ticks(from, from + span, 8);
      expect(found.length).toBeGreaterThan(0);
      expect(found.length).toBeLessThanOrEqual(9);
      for (const t of found) {
        expect(t.at).toBeGreaterThanOrEqual(from);
        expect(t.at).toBeLessThan(from + span);
      }
    }
    expect(ticks(5, 5, 8)).toEqual([]);
  });
});

describe('windows on bins', () => {
  const edges = [0, 10, 20, 40, 50];

  test('off-edge instants snap outward', () => {
    expect(snapOut(edges, 12, 38)).toEqual({ from: 1, to: 3, moved: true, outside: false });
    expect(snapOut(edges, 10, 40)).toEqual({ from: 1, to: 3, moved: false, outside: false });
  });

  test('a window wider than the release is cut without being called moved', () => {
    expect(snapOut(edges, -5, 100)).toEqual({ from: 0, to: 4, moved: false, outside: false });
  });

  test('a window beside the release is said to be outside', () => {
    expect(snapOut(edges, 50, 60).outside).toBe(true);
    expect(snapOut(edges, -9, 0).outside).toBe(true);
    expect(snapOut([0], 0, 9).outside).toBe(true);
  });

  test('snapping never loses part of the window', () => {
    for (let a = 0; a < 50; a++) {
      for (let b = a + 1; b <= 50; b++) {
        const s = snapOut(edges, a, b);
        expect(edges[s.from]).toBeLessThanOrEqual(a);
        expect(edges[s.to]).toBeGreaterThanOrEqual(b);
        expect(s.to).toBeGreaterThan(s.from);
      }
    }
  });

  test('a day counts as so many bins', () => {
    const hours = Array.from({ length: 50 }, (_, i) => i * HOUR);
    expect(binsIn(hours, 3, DAY)).toBe(24);
    expect(binsIn([0, 7 * DAY], 0, DAY)).toBe(1);
  });
});
