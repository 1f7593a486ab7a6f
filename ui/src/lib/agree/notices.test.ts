import { describe, expect, it } from 'vitest';
import type { Notification } from './hub.ts';
import { fold, sayAccess, sayReaders } from './notices.ts';

const DAY = 86_400_000_000;
let uid = 0;
function told(kind: string, subject: string, at: number, by: string, uses = 1, seen = false): Notification {
  return { uid: `n${uid++}`, at, kind, subject, text: '', detail: { by, uses }, seen };
}
const nameOf = (id: string): string => ({ harbour: 'Harbour Security', oak: 'Oak Law' })[id] ?? id;

describe('notices', () => {
  const list = [
    told('access', 'warn', 5 * DAY + 9, 'harbour', 3),
    told('signed', 'other', 5 * DAY + 8, 'oak'),
    told('access', 'warn', 5 * DAY + 7, 'oak', 2),
    told('access', 'warn', 5 * DAY + 6, 'harbour', 4),
    told('access', 'warn', 5 * DAY + 5, 'harbour', 1, true),
    told('access', 'warn', 4 * DAY + 5, 'oak'),
    told('access', 'else', 4 * DAY + 4, 'oak'),
    told('signed', 'other', 4 * DAY + 3, 'oak'),
  ];
  const made = fold(list);

  it('put together the accesses of one agreement, day and state, and nothing else', () => {
    expect(made.map((n) => [n.newest.kind, n.newest.subject, n.uids.length, n.seen])).toEqual([
      ['access', 'warn', 3, false],
      ['signed', 'other', 1, false],
      ['access', 'warn', 1, true],
      ['access', 'warn', 1, false],
      ['access', 'else', 1, false],
      ['signed', 'other', 1, false],
    ]);
  });

  it('lose no notification and no answer', () => {
    expect(made.flatMap((n) => n.uids).sort()).toEqual(list.map((n) => n.uid).sort());
    expect(made[0]?.readers).toEqual([
      ['harbour', 7],
      ['oak', 2],
    ]);
    expect(made[1]?.readers).toEqual([]);
  });

  it('say to whom and how often', () => {
    const [many, , one] = made;
    expect(sayAccess('“Warn”', many?.readers ?? [], nameOf)).toBe(
      'What “Warn” shares was shown to 2 organisations in 9 answers',
    );
    expect(sayAccess('“Warn”', one?.readers ?? [], nameOf)).toBe(
      'What “Warn” shares was shown to Harbour Security in 1 answer',
    );
    expect(sayReaders(many?.readers ?? [], nameOf, 1)).toBe('Harbour Security 7 and 1 more');
  });
});
