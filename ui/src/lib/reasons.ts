/**
 * Reason codes in plain sentences. A reason speaks of agreements and of who asks, never of stored rows.
 */

const SENTENCES: Record<string, string> = {
  'not-agreed': 'No agreement covers this.',
  'not-to-you': 'An agreement covers this, but your organisation is not among its recipients.',
  purpose: 'The agreement allows this for another purpose than the one you chose.',
  class: 'The agreement does not cover this kind of event.',
  tlp: 'The event is marked for a narrower circle (Traffic Light Protocol) than the agreement allows.',
  severity: 'The agreement does not cover events of this severity.',
  site: 'The agreement does not cover this site.',
  'too-young': 'The agreement shows this only after a delay that has not passed yet.',
  'too-old': 'The agreement shows this only for a limited time, which has passed.',
  'field-not-granted': 'The agreement shares these events without this field.',
  'limited-by': 'A limit in the agreement keeps this back.',
  charter: 'The standing charter of the owner keeps this back, whatever its agreements say.',
  'community-charter': 'The charter of the community keeps this back.',
  'not-yet-active': 'The agreement has not started yet.',
  suspended: 'The agreement is suspended.',
  revoked: 'The agreement was revoked.',
  expired: 'The agreement has ended.',
  'duties-not-accepted': 'Your organisation has not accepted the duties of the agreement yet.',
  contributors: 'Too few organisations stand behind this figure to show it.',
  budget: 'The privacy budget for this is used up in this window.',
  'plan-stricter': 'The owner has stricter rules than this joint figure needs, so it is left out.',
  'policy-unavailable': 'The agreements cannot be read right now, so nothing is shown.',
  'not-held': 'The hub never received this: it was kept back or made coarser before it left the owner.',
};

const SHORT: Record<string, string> = {
  'not-agreed': 'not agreed',
  'not-to-you': 'not to you',
  purpose: 'other purpose',
  class: 'kind of event',
  tlp: 'TLP marking',
  severity: 'severity',
  site: 'site',
  'too-young': 'too recent',
  'too-old': 'too old',
  'field-not-granted': 'field not shared',
  'limited-by': 'limited',
  charter: 'owner’s charter',
  'community-charter': 'community charter',
  'not-yet-active': 'not started',
  suspended: 'suspended',
  revoked: 'revoked',
  expired: 'ended',
  'duties-not-accepted': 'duties open',
  contributors: 'too few behind it',
  budget: 'budget used',
  'plan-stricter': 'stricter owner',
  'policy-unavailable': 'closed',
  'not-held': 'never sent',
};

/** The reason codes that have a sentence. */
export const REASONS: readonly string[] = Object.keys(SENTENCES);

/** One plain sentence; an unknown code is named, never guessed at. */
export function sayReason(code: string): string {
  return SENTENCES[code] ?? `Withheld (${code}).`;
}

/** Two or three words for a table cell. */
export function sayReasonShortly(code: string): string {
  return SHORT[code] ?? code.replaceAll('-', ' ');
}

/** Whom to ask, in one sentence. */
export function sayWhomToAsk(ask: string | null | undefined): string {
  return ask ? `Ask ${ask}.` : 'Ask the steward of your community: the owner is not named to you.';
}
