/**
 * Words beside codes, for display only: the Filter keeps the code as the hub shows it.
 */

/** Sections of NACE Rev. 2, by letter. */
const SECTIONS: Record<string, string> = {
  A: 'agriculture',
  B: 'mining',
  C: 'manufacturing',
  D: 'energy',
  E: 'water and waste',
  F: 'construction',
  G: 'trade',
  H: 'transport',
  I: 'hospitality',
  J: 'information',
  K: 'finance',
  L: 'real estate',
  M: 'professional services',
  N: 'support services',
  O: 'public administration',
  P: 'education',
  Q: 'health',
  R: 'arts and leisure',
  S: 'other services',
  T: 'households',
  U: 'international bodies',
};

/** "H49.41 transport" for a sector code; any other value as it is. */
export function sayValue(dim: string, value: string): string {
  if (dim !== 'sector' || !/^[A-U](\d\d(\.\d{1,2})?)?$/.test(value)) return value;
  return `${value} ${SECTIONS[value.charAt(0)]}`;
}

/** Values that stand for "shown, but empty" and "withheld from you": in every dim, never in a ranking. */
export const EMPTY = '(none)';
export const WITHHELD = '(withheld)';
