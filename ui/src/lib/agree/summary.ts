/**
 * What an agreement shows to whom, in one line, from its text: for lists. The text itself is what counts. And how often
 * its clauses were used.
 */
import type { Sum } from '../seen.ts';

interface Shown {
  what: string;
  who: string;
}

const SHARE = /^\[[a-z0-9-]+\] Share (counts of .+? in )?(.+?) events marked .+? with (.+?) for [a-z, ]+?[,:]/;

function shown(line: string): Shown | null {
  const found = SHARE.exec(line);
  if (!found) return null;
  const who = (found[3] ?? '').replace(/; /g, ', ');
  return { what: found[1] ? `figures on ${found[2]} events` : `${found[2]} events`, who };
}

/** "Shows malware events to community x; figures on dns events to all CERTs." or that it shows nothing. */
export function summaryOf(text: string): string {
  const all = text.split('\n').flatMap((line) => shown(line) ?? []);
  const limits = text.split('\n').filter((line) => /^\[[a-z0-9-]+\] For /.test(line)).length;
  if (!all.length) return limits ? 'Shows nothing; it only sets ceilings.' : 'Shows nothing.';
  const parts = all.slice(0, 2).map(({ what, who }) => `${what} to ${who}`);
  const more = all.length > 2 ? `; and ${all.length - 2} more` : '';
  return `Shows ${parts.join('; ')}${more}${limits ? `, with ${limits === 1 ? 'a ceiling' : `${limits} ceilings`}` : ''}.`;
}

/** A state in words people understand. */
const STATES: Readonly<Record<string, string>> = {
  active: 'in force',
  live: 'in force',
  agreed: 'signed, not begun yet',
  'not-yet-active': 'signed, not begun yet',
  suspended: 'suspended: nothing is shown',
  revoked: 'revoked',
  expired: 'ended',
  replaced: 'replaced',
  offered: 'waiting for signatures',
  'partly-signed': 'waiting for signatures',
  declined: 'declined',
  withdrawn: 'taken back',
  outdated: 'can no longer be signed',
};
export const sayState = (state: string): string => STATES[state] ?? state.replaceAll('-', ' ');
export const inForce = (state: string): boolean => state === 'active' || state === 'live';

/** Uses of an agreement's clauses by their names, all versions together; clauses of other agreements are left out. */
export function usesOf(sums: readonly Sum[], agreement: string): ReadonlyMap<string, Sum> {
  const found = new Map<string, Sum>();
  for (const sum of sums) {
    if (!sum.key.startsWith(`${agreement}@`)) continue;
    const clause = sum.key.slice(sum.key.indexOf('#') + 1);
    const old = found.get(clause);
    found.set(clause, {
      key: clause,
      uses: sum.uses + (old?.uses ?? 0),
      count: sum.count + (old?.count ?? 0),
      last: old && old.last > sum.last ? old.last : sum.last,
    });
  }
  return found;
}
