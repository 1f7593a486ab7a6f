/**
 * Faults the hub finds in a document, put where a person can mend them: by clause, by part of the sentence, by line.
 */
import type { Slot } from './say.ts';

export interface Fault {
  path: string;
  message: string;
  todo?: string;
}

/** The number of the clause a path points into, or -1. */
export function clauseOf(path: string): number {
  const found = /^\$\.clauses\[(\d+)\]/.exec(path);
  return found ? Number(found[1]) : -1;
}

const SLOTS: readonly (readonly [RegExp, Slot])[] = [
  [/^\.to\b/, 'to'],
  [/^\.outside\b/, 'outside'],
  [/^\.purposes\b/, 'purposes'],
  [/^\.rows\.events\b/, 'events'],
  [/^\.rows\.(from_)?tlp\b/, 'tlp'],
  [/^\.rows\.(from_)?severity\b/, 'severity'],
  [/^\.rows\.sites\b/, 'sites'],
  [/^\.rows\.(after|until)\b/, 'ages'],
  [/^\.fields\b/, 'fields'],
  [/^\.lookup\b/, 'lookup'],
  [/^\.measures\b/, 'measures'],
  [/^\.by\b/, 'by'],
  [/^\.(contributors|noise)\b/, 'group'],
  [/^\.on\b/, 'on'],
];

/** The part of the sentence a path points at, or null. */
export function slotOf(path: string): Slot | null {
  const inside = path.replace(/^\$\.clauses\[\d+\]/, '');
  return SLOTS.find(([pattern]) => pattern.test(inside))?.[1] ?? null;
}

/** The line of YAML or JSON text a path points at (1-based), by its keys and list places; 1 where it cannot be told. */
export function lineOf(text: string, path: string): number {
  const said = /line (\d+)/.exec(path);
  if (said) return Number(said[1]);
  const lines = text.split('\n');
  let at = 0;
  let indent = -1;
  for (const part of path
    .replace(/^\$\.?/, '')
    .split(/\.|(?=\[)/)
    .filter(Boolean)) {
    const found = part.startsWith('[') ? item(lines, at, Number(part.slice(1, -1))) : key(lines, at, part, indent);
    if (found < 0) return at + 1;
    indent = margin(lines[found] ?? '');
    at = found;
  }
  return at + 1;
}

const margin = (line: string): number => line.search(/\S|$/);

function key(lines: readonly string[], from: number, name: string, above: number): number {
  const safe = name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const pattern = new RegExp(`^\\s*(?:- )?(?:.*[{,]\\s*)?["']?${safe}["']?\\s*:`);
  for (let i = from; i < lines.length; i += 1) {
    const line = lines[i] ?? '';
    if (pattern.test(line)) return i;
    if (i > from && line.trim() && margin(line) < above) return -1;
  }
  return -1;
}

/** The line of the n-th item of the list that begins after a line. */
function item(lines: readonly string[], from: number, n: number): number {
  let depth = -1;
  let seen = -1;
  for (let i = from + 1; i < lines.length; i += 1) {
    const line = lines[i] ?? '';
    if (!/^\s*(- |\{)/.test(line)) continue;
    if (depth < 0) depth = margin(line);
    if (margin(line) < depth) return -1;
    if (margin(line) === depth && (seen += 1) === n) return i;
  }
  return -1;
}
