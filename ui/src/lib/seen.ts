/**
 * What left of one's own organisation: the hub's answers, words for them, and proofs checked in this browser.
 *
 * Rules held here: a proof is recomputed from the very text that was hashed (RFC 6962 leaves and nodes, SHA-256), never
 * taken on the hub's word; what this browser cannot check is said to be unchecked.
 */
import { levelPhrase, labelOf } from './agree/words.ts';
import type { Api, Checkpoint } from './api.ts';

export interface Access {
  id: string;
  at: string;
  until: string;
  reader: string;
  purpose: string;
  by: string;
  surface: string;
  clauses: string[];
  fields: Record<string, string>;
  count: number;
  unit: string;
  uses: number;
  query: string;
  entry: number;
}

export interface Page {
  accesses: Access[];
  clauses: Record<string, string>;
  readers: Record<string, string>;
  after: string | null;
}

export interface Sum {
  key: string;
  uses: number;
  count: number;
  last: string;
}

export interface Summary {
  readers: Sum[];
  agreements: Sum[];
  clauses: Sum[];
  surfaces: Sum[];
  days: Sum[];
  words: Record<string, string>;
  names: Record<string, string>;
  uses: number;
}

/** What one looks at; '' is no constraint. `since` is a span such as 7d. */
export interface Wanted {
  since: string;
  reader: string;
  agreement: string;
  surface: string;
}

export const WANTED = ['since', 'reader', 'agreement', 'surface'] as const;

export interface Proof {
  entry: number;
  size: number;
  path: string[];
  data: string;
  access: { text: string; place: number; path: string[] };
}

export interface Proven {
  checkpoint: Checkpoint & { origin: string; time: number };
  proof: Proof;
}

/** How data leaves, in words. */
export const SURFACES: Readonly<Record<string, string>> = {
  explore: 'counted in Explore',
  rows: 'read as single events',
  release: 'opened in a release',
  indicators: 'listed as indicators',
  taxii: 'collected by TAXII',
  gateway: 'pushed to a gateway',
  alert: 'told in an alert',
  export: 'exported',
  lookup: 'looked up',
  counted: 'counted in a release of many',
};

/** The kind of whoever asked, in words. */
export const KINDS: Readonly<Record<string, string>> = {
  person: 'a person',
  token: 'a program with a token',
  gateway: 'a gateway',
  hub: 'the hub for it',
};

/** The query of a look, without what is not constrained. */
export function toSearch(wanted: Wanted): string {
  const search = new URLSearchParams();
  for (const name of WANTED) if (wanted[name]) search.set(name, wanted[name]);
  return search.toString();
}

/** A look from the address bar. */
export function fromSearch(search: string): Wanted {
  const given = new URLSearchParams(search);
  const of = (name: string): string => given.get(name) ?? '';
  return { since: of('since'), reader: of('reader'), agreement: of('agreement'), surface: of('surface') };
}

export function accesses(api: Api, wanted: Wanted, after = '', signal?: AbortSignal): Promise<Page> {
  const search = toSearch(wanted);
  return api.json('GET', `api/accesses?limit=50&after=${encodeURIComponent(after)}&${search}`, undefined, signal);
}

export function summary(api: Api, wanted: Wanted, signal?: AbortSignal): Promise<Summary> {
  return api.json('GET', `api/accesses/summary?${toSearch(wanted)}`, undefined, signal);
}

export function prove(api: Api, id: string): Promise<Proven> {
  return api.json('GET', `api/accesses/${encodeURIComponent(id)}/proof`);
}

/** The address of all of it as one file. */
export function exportAt(api: Api, wanted: Wanted, format: 'csv' | 'json'): string {
  return api.at(`api/accesses/export?format=${format}&${toSearch(wanted)}`);
}

/** Whether an access is among those looked at (a span of time always reaches to now). */
export function matches(access: Access, wanted: Wanted): boolean {
  if (wanted.reader && access.reader !== wanted.reader) return false;
  if (wanted.surface && access.surface !== wanted.surface) return false;
  return !wanted.agreement || access.clauses.some((ref) => ref.startsWith(`${wanted.agreement}@`));
}

/** "source address with its network; time to the hour": what of each event could be read, in the words of agreements. */
export function sayFields(fields: Record<string, string>): string {
  const groups = new Map<string, string[]>();
  for (const [field, level] of Object.entries(fields)) {
    groups.set(level, [...(groups.get(level) ?? []), labelOf(field)]);
  }
  return [...groups].map(([level, labels]) => `${labels.join(', ')} ${levelPhrase(level)}`).join('; ');
}

/** One step of a check: what was checked, and whether it held (null: not checked here). */
export interface Step {
  said: string;
  held: boolean | null;
}

/** Every step from the access to the hub's signature. */
export async function check({ checkpoint, proof }: Proven): Promise<Step[]> {
  const sheet = (JSON.parse(proof.data) as { detail?: { sheet?: string } }).detail?.sheet ?? '';
  const inside = await sheetRoot(proof.access);
  const root = await logRoot(proof);
  return [
    { said: 'This access, word for word, is in what the hub wrote down for that answer', held: inside === sheet },
    { said: `That is entry ${proof.entry} of the audit log of ${proof.size} entries`, held: root === checkpoint.root },
    {
      said: 'The log’s head is signed with the key it names (compare it with the one you got when you joined)',
      held: await signed(checkpoint),
    },
  ];
}

/** What an access says, from the text that was hashed. */
export function saidIn(proof: Proof): Record<string, unknown> {
  return JSON.parse(proof.access.text.slice(proof.access.text.indexOf('\n') + 1)) as Record<string, unknown>;
}

/** The root of the small tree over what one answer showed. */
async function sheetRoot({ text, place, path }: Proof['access']): Promise<string> {
  let value = await hash(0, bytesOf(text));
  for (const [level, step] of path.entries()) {
    value = (place >> level) & 1 ? await hash(1, fromHex(step), value) : await hash(1, value, fromHex(step));
  }
  return toHex(value);
}

/** The log's root as the path gives it (RFC 9162, 2.1.3.2); empty where the path does not fit. */
async function logRoot(proof: Proof): Promise<string> {
  let [position, last] = [proof.entry, proof.size - 1];
  let value = await hash(0, bytesOf(proof.data));
  for (const step of proof.path) {
    if (last === 0) return '';
    if (position % 2 === 1 || position === last) {
      value = await hash(1, fromHex(step), value);
      while (position % 2 === 0 && position) [position, last] = [Math.floor(position / 2), Math.floor(last / 2)];
    } else {
      value = await hash(1, value, fromHex(step));
    }
    [position, last] = [Math.floor(position / 2), Math.floor(last / 2)];
  }
  return last === 0 ? toHex(value) : '';
}

/** Whether the head's signature holds; null where this browser knows no Ed25519. */
async function signed(head: Proven['checkpoint']): Promise<boolean | null> {
  const said = `commonwatch-checkpoint-1\n${head.origin}\n${head.size}\n${head.root}\n${head.time}\n`;
  try {
    const key = await crypto.subtle.importKey('raw', fromHex(String(head.key)), 'Ed25519', false, ['verify']);
    return await crypto.subtle.verify('Ed25519', key, fromHex(String(head.signature)), bytesOf(said));
  } catch {
    return null;
  }
}

async function hash(prefix: number, ...parts: Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(1 + parts.reduce((n, part) => n + part.length, 0));
  whole[0] = prefix;
  let at = 1;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;

function fromHex(text: string): Uint8Array<ArrayBuffer> {
  const pairs = text.match(/[0-9a-f]{2}/g) ?? [];
  return Uint8Array.from(pairs, (pair) => Number.parseInt(pair, 16));
}

const toHex = (bytes: Uint8Array): string => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
