/**
 * Sources of partners' intelligence, as the pages say and ask for them. Shapes as the hub's OpenAPI document says;
 * nothing is kept here, and a secret only goes in.
 */
import type { Api, Problem } from '../api.ts';

export interface Source {
  name: string;
  kind: string;
  address: string;
  tlp: string;
  weight: number;
  every: number;
  life: number;
  community: boolean;
  paused: boolean;
  known: boolean;
  values: number;
  last_ok: string;
  next_at: string;
  failures: number;
  error: string;
  refused: Record<string, number>;
}
export interface Sources {
  may: string[];
  sources: Source[];
}
export interface Taken {
  kept: number;
  withdrawn: number;
  refused: Record<string, number>;
}
/** What a form holds; `auth` empty: credentials stay as they are. */
export interface Form {
  name: string;
  kind: string;
  address: string;
  tlp: string;
  weight: number;
  every: number;
  life: number;
  community: boolean;
  auth: string;
  user: string;
  secret: string;
}

export const KINDS: Readonly<Record<string, string>> = {
  taxii: 'TAXII 2.1 collection',
  misp: 'MISP server',
  'misp-feed': 'MISP feed',
  list: 'list or document at an address',
  upload: 'given by hand',
};
export const TLPS = ['clear', 'green', 'amber', 'amber+strict', 'red'] as const;
export const AUTHS: Readonly<Record<string, string>> = {
  none: 'nothing',
  basic: 'user and password',
  bearer: 'a bearer token',
  key: 'a key (MISP)',
};
export const OFTEN: readonly (readonly [number, string])[] = [
  [300, 'every 5 minutes'],
  [900, 'every 15 minutes'],
  [3_600, 'every hour'],
  [21_600, 'every 6 hours'],
  [86_400, 'every day'],
  [604_800, 'every week'],
];

export const BLANK: Form = {
  name: '',
  kind: 'taxii',
  address: '',
  tlp: 'red',
  weight: 50,
  every: 3_600,
  life: 0,
  community: false,
  auth: 'none',
  user: '',
  secret: '',
};

/** The form that shows a source as it is. */
export function formOf(source: Source): Form {
  const { name, kind, address, tlp, weight, every, life, community } = source;
  return { name, kind, address, tlp, weight, every, life, community, auth: '', user: '', secret: '' };
}

/** How often, in words; a number of seconds nobody offers is said as such. */
export function often(seconds: number): string {
  return OFTEN.find(([n]) => n === seconds)?.[1] ?? `every ${seconds.toLocaleString('en')} seconds`;
}

/** What a source is doing: a word for the state, and whether that is well, bad or neither. */
export function standing(source: Source): { word: string; tone: 'ok' | 'bad' | 'mut' } {
  if (source.paused) return { word: 'paused', tone: 'mut' };
  if (source.error) return { word: source.failures > 1 ? `failed ${source.failures} times` : 'failed', tone: 'bad' };
  if (source.kind === 'upload') return { word: 'given by hand', tone: 'mut' };
  return source.last_ok ? { word: 'well', tone: 'ok' } : { word: 'not asked yet', tone: 'mut' };
}

/** A problem as sentences. */
export function say(problem: Problem): string {
  const parts = [problem.detail, problem.todo].map((p) => p.trim().replace(/[.]$/, '')).filter(Boolean);
  return parts.map((p) => `${p.charAt(0).toUpperCase()}${p.slice(1)}.`).join(' ');
}

/** "12 refused: 10 network, 2 private", or empty. */
export function refusals(refused: Record<string, number>): string {
  const found = Object.entries(refused).sort((a, b) => b[1] - a[1]);
  const sum = found.reduce((n, [, k]) => n + k, 0);
  return sum ? `${sum} not taken: ${found.map(([why, n]) => `${n} ${why.replaceAll('_', ' ')}`).join(', ')}` : '';
}

const at = (name: string): string => `api/intelligence/sources/${encodeURIComponent(name)}`;

export function sources(api: Api, signal?: AbortSignal): Promise<Sources> {
  return api.json('GET', 'api/intelligence/sources', undefined, signal);
}

export function add(api: Api, form: Form): Promise<Source> {
  return api.json('POST', 'api/intelligence/sources', {
    ...form,
    name: form.name.trim(),
    address: form.address.trim(),
  });
}

/** Only what differs is sent; a new address needs its credentials again, and so do they each time they are set. */
export function change(api: Api, source: Source, form: Form): Promise<Source> {
  const was = formOf(source);
  const names = ['address', 'tlp', 'weight', 'every', 'life', 'community'] as const;
  const differing = Object.fromEntries(names.filter((n) => form[n] !== was[n]).map((n) => [n, form[n]]));
  const auth = form.auth ? { auth: form.auth, user: form.user, secret: form.secret } : {};
  return api.json('PATCH', at(source.name), { ...differing, ...auth });
}

export function pause(api: Api, source: Source, paused: boolean): Promise<Source> {
  return api.json('PATCH', at(source.name), { paused });
}

export function fetchNow(api: Api, source: Source): Promise<Source> {
  return api.json('POST', `${at(source.name)}/fetch`);
}

export async function remove(api: Api, source: Source): Promise<void> {
  await api.json('DELETE', at(source.name));
}

export function give(api: Api, file: Blob, source: string, tlp: string): Promise<Taken> {
  const query = new URLSearchParams({ source, tlp }).toString();
  return api.json('POST', `api/intelligence?${query}`, file);
}
