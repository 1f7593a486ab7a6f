import { describe, expect, it } from 'vitest';
import told from './sentences.json';
import { sayState, summaryOf, usesOf } from './summary.ts';

const TEXT = `Data Sharing Agreement maple, version 1: "Maple".
[warn] Share intrusion and malware events marked TLP:GREEN or lower, until they are 90 days old with community sme-shield for detecting threats: time to the minute.
[figures] Share counts of new threat families in DNS events marked TLP:AMBER or lower with community sme-shield; all CERTs for research, by time to the day, only for groups of at least 5 contributors.
[people] For all events, never show anyone more than: user name withheld.
`;

describe('the one-line summary', () => {
  it('says what is shown to whom', () => {
    expect(summaryOf(TEXT)).toBe(
      'Shows intrusion and malware events to community sme-shield; figures on DNS events to community sme-shield, all CERTs, with a ceiling.',
    );
  });

  it('says so where nothing is shown', () => {
    expect(summaryOf(TEXT.split('\n').slice(0, 1).join('\n'))).toBe('Shows nothing.');
    expect(summaryOf(TEXT.split('\n').slice(3).join('\n'))).toBe('Shows nothing; it only sets ceilings.');
  });

  it('finds a share in every text the hub writes', () => {
    for (const { text } of told)
      expect(summaryOf(text)).toMatch(/^Shows .+ events to .+; and \d more, with 3 ceilings\.$/);
  });
});

describe('uses of clauses', () => {
  it('are added up over versions, and those of other agreements are left out', () => {
    const sum = (key: string, uses: number, last: string) => ({ key, uses, count: 10 * uses, last });
    const uses = usesOf(
      [
        sum('maple@2#warn', 5, '2026-11-25'),
        sum('maple@1#warn', 2, '2026-11-20'),
        sum('maple-2@1#warn', 9, '2026-12-01'),
      ],
      'maple',
    );
    expect([...uses.values()]).toEqual([{ key: 'warn', uses: 7, count: 70, last: '2026-11-25' }]);
  });
});

describe('states', () => {
  it('are words, also those not known yet', () => {
    expect(['active', 'expired', 'half-signed'].map(sayState)).toEqual(['in force', 'ended', 'half signed']);
  });
});
