import { describe, expect, test } from 'vitest';
import { bytes, count, full, ratio, share, short } from './format.ts';
import { REASONS, sayReason, sayReasonShortly, sayWhomToAsk } from './reasons.ts';
import { TimeScale, barLength, niceMax } from './scales.ts';

describe('numbers', () => {
  test.each([
    [0, '0'], [999, '999'], [1234, '1.2k'], [34_100, '34k'], [1_080_000, '1.08M'], [25_300_000, '25.3M'], [-12, '≈ 0'], [-0.2, '0'],
  ])('%d is said as %s', (value, said) => expect(short(value)).toBe(said)); // prettier-ignore

  test('full values keep every digit and their sign', () => {
    expect(full(12310)).toBe('12,310');
    expect(full(-12.4)).toBe('-12');
    expect(full(-0.2)).toBe('0');
  });

  test('shares never round something to nothing', () => {
    expect(share(1, 100_000)).toBe('<0.1 %');
    expect(share(0, 10)).toBe('0 %');
    expect(share(1, 8)).toBe('13 %');
    expect(share(5, 0)).toBe('0 %');
  });

  test('small words', () => {
    expect(count(1, 'row')).toBe('1 row');
    expect(count(2000, 'entry', 'entries')).toBe('2,000 entries');
    expect(bytes(1_400_000)).toBe('1.4 MB');
    expect(ratio(3.14)).toBe('3.1×');
  });
});

describe('reasons', () => {
  /** The vocabulary of `agreements.md` 15 as the hub spells it. */
  const CODES = (
    'not-agreed not-to-you purpose class tlp severity site too-young too-old field-not-granted limited-by charter ' +
    'community-charter not-yet-active suspended revoked expired duties-not-accepted contributors budget plan-stricter ' +
    'policy-unavailable not-held'
  ).split(' ');

  test('every code has one plain sentence and a short form of its own', () => {
    expect([...REASONS].sort()).toEqual([...CODES].sort());
    expect(new Set(CODES.map(sayReason)).size).toBe(CODES.length);
    expect(new Set(CODES.map(sayReasonShortly)).size).toBe(CODES.length);
    for (const code of CODES) expect(sayReason(code)).toMatch(/^[A-Z].*\.$/);
  });

  test('an unknown code is named', () => expect(sayReason('moon-phase')).toContain('moon-phase'));

  test('whom to ask never leaves the reader alone', () => {
    expect(sayWhomToAsk('Acme CERT')).toBe('Ask Acme CERT.');
    expect(sayWhomToAsk(null)).toContain('steward');
  });
});

describe('scales', () => {
  test('bars are clipped for drawing only', () => {
    expect([barLength(-3, 10), barLength(5, 10), barLength(30, 10), barLength(1, 0)]).toEqual([0, 0.5, 1, 0]);
  });

  test('round maxima', () => expect([0, 1, 3, 26, 990].map(niceMax)).toEqual([1, 1, 5, 50, 1000]));

  test('pixels and bins agree on unequal bins', () => {
    const scale = new TimeScale([0, 10, 20, 60], 600);
    for (let bin = 0; bin < 3; bin++) {
      expect(scale.bin(scale.left(bin) + 0.01)).toBe(bin);
      expect(scale.bin(scale.left(bin + 1) - 0.01)).toBe(bin);
    }
    expect(scale.bin(-50)).toBe(0);
    expect(scale.bin(9999)).toBe(2);
    expect(scale.edge(scale.left(2) + 1)).toBe(2);
  });
});
