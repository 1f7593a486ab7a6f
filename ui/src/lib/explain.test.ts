import { describe, expect, it } from 'vitest';
import { narrowed, sayAmount, sayChance, sayEffect, sayTimes, sayValues, selects, type Finding } from './explain.ts';
import { everything } from './filter.ts';

const finding: Finding = {
  more: true,
  values: [
    { dim: 'family', label: 'malware family', value: 'Emotet' },
    { dim: 'dst_port', label: 'destination port', value: '445' },
  ],
  also: [],
  incidents: 42,
  expected: 8.1,
  times: 5.18,
  organisations: 6,
  organisations_before: 9,
  p: 0.00004,
  text: '',
};

describe('what stands out', () => {
  it('is said with what, how much more, and how sure', () => {
    expect(sayValues(finding.values)).toBe('malware family Emotet with destination port 445');
    expect(sayEffect(finding, 'everything else')).toBe('5.2 times as often as in everything else');
    expect(sayAmount(finding)).toBe('42 incidents where 8.1 would be usual');
    expect(sayChance(finding.p)).toBe('less than 1 in 10,000');
    expect(sayChance(0.01)).toBe('less than 1 in 100');
  });

  it('says what is missing as missing, and what is new as new', () => {
    expect(sayEffect({ ...finding, more: false, times: 0.2 }, 'the baseline')).toBe(
      '5.0 times less often than in the baseline',
    );
    expect(sayEffect({ ...finding, more: false, incidents: 0 }, 'the baseline')).toBe(
      'gone; 9 organisations had it in the baseline',
    );
    expect(sayEffect({ ...finding, expected: 0 }, 'the baseline')).toBe('never seen in the baseline');
    expect(sayTimes(1_000)).toBe('more than 100 times');
  });

  it('narrows the selection to its values and keeps all else', () => {
    const time = { from: '2026-11-01T00:00:00Z', to: '2026-11-02T00:00:00Z' };
    const made = narrowed({ ...everything(), time }, finding);
    expect(made.time).toEqual(time);
    expect(made.dims).toEqual({ family: { in: ['Emotet'] }, dst_port: { in: ['445'] } });
  });

  it('needs a selection', () => {
    expect(selects(everything())).toBe(false);
    expect(selects({ ...everything(), time: { last: '7d' } })).toBe(true);
    expect(selects({ ...everything(), area: { net: '203.0.113.0/24' } })).toBe(true);
  });
});
