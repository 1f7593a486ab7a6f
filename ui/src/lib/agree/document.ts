/**
 * The document model of the editor: the hub's own shapes as plain data, and small pure changes to them.
 *
 * Rules held here: a change never touches the document it was given; whatever is a default is left out and sets stand in
 * their one order, so that what the editor holds is what the hub would write; nothing is judged here (the hub checks).
 */
import { CLASSES, FIELD_NAMES, MEASURES, PURPOSES, RESERVED, ROLES } from './words.ts';

export interface To {
  organisations?: string[];
  communities?: string[];
  roles?: string[];
}
export interface ShareRows {
  events: string[];
  tlp: string;
  severity?: string;
  sites?: string[];
  after?: number;
  until?: number;
}
export interface LimitRows {
  events?: string[];
  from_tlp?: string;
  from_severity?: string;
  sites?: string[];
  after?: number;
  until?: number;
}
export type Levels = Record<string, string>;
export interface Noise {
  epsilon: number;
  total?: number;
}
export interface Share {
  kind: 'share';
  id: string;
  to: To;
  purposes: string[];
  rows: ShareRows;
  fields: Levels;
  lookup?: { fields: string[]; per_day?: number };
}
export interface Count {
  kind: 'count';
  id: string;
  to: To;
  purposes: string[];
  rows: ShareRows;
  by: Levels;
  measures?: string[];
  contributors?: number;
  noise?: Noise;
}
export interface Limit {
  kind: 'limit';
  id: string;
  fields?: Levels;
  rows?: LimitRows;
  outside?: To;
  purposes?: string[];
  on?: 'rows' | 'counts' | 'both';
  contributors?: number;
  noise?: Noise;
}
export type Clause = Share | Count | Limit;
export type Kind = Clause['kind'];

export interface Duties {
  actions?: string;
  onward?: string;
  attribution?: string;
  notify_affected?: string;
  resale?: string;
  encrypt?: string;
  delete_after_days?: number;
  breach_notice_hours?: number;
  notify_owner_on_access?: string;
  [more: string]: unknown;
}
export interface Party {
  id: string;
  name?: string;
  role: 'owner' | 'operator' | 'member';
  key?: string;
  contacts?: Contact[];
}
/** Whom to turn to at a party. */
export interface Contact {
  name: string;
  reach: string;
}
/** The template an agreement was made from. */
export interface Origin {
  template: string;
  version: number;
  level: number;
  changed?: string[];
}
/** Stands where the key of a party is not known yet; the hub fills it in when the agreement is offered. */
export const BLANK_KEY = '_'.repeat(43);
export interface Law {
  purpose?: string;
  basis?: string;
  roles?: string;
  jurisdiction?: string;
  notes?: string;
}
export interface Agreement {
  dsa: '1';
  id: string;
  version: number;
  title: string;
  parties: Party[];
  starts: string;
  ends: string;
  clauses: Clause[];
  previous?: string;
  community?: string;
  origin?: Origin;
  duties?: Duties;
  law?: Law;
  /** What this release of the editor does not know yet is carried along untouched. */
  [more: string]: unknown;
}
export interface Signer {
  id: string;
  name?: string;
  key?: string;
}
export interface Charter {
  charter: '1';
  id: string;
  version: number;
  title: string;
  owner: Signer;
  clauses: Limit[];
  previous?: string;
}
/** A community's ceiling, signed by its steward. */
export interface CommunityCharter extends Omit<Charter, 'charter' | 'owner'> {
  'community-charter': '1';
  community: string;
  steward: Signer;
}
export type Document = Agreement | Charter | CommunityCharter;

export const isAgreement = (document: Document): document is Agreement => 'dsa' in document;
export const isCharter = (document: Document): document is Charter => 'charter' in document;

/** The strictest duties: what holds where nothing is said. */
export const STRICTEST: Readonly<Required<Pick<Duties, 'actions' | 'onward' | 'attribution' | 'notify_affected'>>> &
  Readonly<{ resale: string; encrypt: string; breach_notice_hours: number; notify_owner_on_access: string }> = {
  actions: 'none',
  onward: 'none',
  attribution: 'must-not',
  notify_affected: 'must-not',
  resale: 'must-not',
  encrypt: 'must',
  breach_notice_hours: 24,
  notify_owner_on_access: 'each',
};

/** A set in the order of its table, or by code point without one; each value once. */
export function ordered(
  values: readonly string[],
  table?: Readonly<Record<string, unknown>> | readonly string[],
): string[] {
  const once = [...new Set(values)];
  if (!table) return once.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const order = Array.isArray(table) ? (table as readonly string[]) : Object.keys(table);
  return once.sort((a, b) => order.indexOf(a) - order.indexOf(b));
}

/** An object without its empty parts: undefined, empty text, empty lists and objects. */
function without<T extends object>(value: T): T {
  const kept = Object.entries(value).filter(([, part]) => {
    if (part === undefined || part === null || part === '') return false;
    return typeof part !== 'object' || Object.keys(part as object).length > 0;
  });
  return Object.fromEntries(kept) as T;
}

export function normalTo(to: To): To {
  return without({
    organisations: ordered(to.organisations ?? []),
    communities: ordered(to.communities ?? []),
    roles: ordered(to.roles ?? [], ROLES),
  });
}

function normalRows<T extends ShareRows | LimitRows>(rows: T): T {
  const made = { ...rows };
  if (made.events) made.events = ordered(made.events, CLASSES);
  if (made.sites) made.sites = ordered(made.sites);
  if (!made.after) delete made.after;
  return without(made);
}

function normalLevels(levels: Levels): Levels {
  return Object.fromEntries(FIELD_NAMES.flatMap((f) => (levels[f] ? [[f, levels[f]]] : [])));
}

/** A clause as the hub would write it. A share keeps `to`, `purposes`, `rows` and `fields` even where they are empty. */
export function normalClause(clause: Clause): Clause {
  if (clause.kind === 'limit') {
    const { on, ...rest } = clause;
    const made = without({
      ...rest,
      fields: normalLevels(clause.fields ?? {}),
      rows: normalRows(clause.rows ?? {}),
      outside: normalTo(clause.outside ?? {}),
      purposes: ordered(clause.purposes ?? [], PURPOSES),
    });
    return on && on !== 'both' ? { ...made, on } : made;
  }
  const rows = { ...normalRows(clause.rows), events: ordered(clause.rows.events, CLASSES) };
  const common = { to: normalTo(clause.to), purposes: ordered(clause.purposes, PURPOSES), rows };
  if (clause.kind === 'share') {
    const { lookup, ...rest } = clause;
    const made: Share = { ...rest, ...common, fields: normalLevels(clause.fields) };
    if (lookup?.fields.length) made.lookup = { ...lookup, fields: ordered(lookup.fields, FIELD_NAMES) };
    return made;
  }
  const { measures, contributors, noise, ...rest } = clause;
  const made: Count = { ...rest, ...common, by: normalLevels(clause.by) };
  const measured = ordered(measures ?? ['onsets'], MEASURES);
  if (measured.join() !== 'onsets') made.measures = measured;
  if (contributors !== undefined && contributors !== 5) made.contributors = contributors;
  if (noise) made.noise = without({ ...noise });
  return made;
}

/** Replaces one clause. */
export function setClause<D extends Document>(document: D, at: number, clause: Clause): D {
  const clauses = document.clauses.map((old, i) => (i === at ? normalClause(clause) : old));
  return { ...document, clauses };
}

export function removeClause<D extends Document>(document: D, at: number): D {
  return { ...document, clauses: (document.clauses as Clause[]).filter((_, i) => i !== at) };
}

export function addClause<D extends Document>(document: D, clause: Clause): D {
  return { ...document, clauses: [...document.clauses, normalClause(clause)] };
}

/** Moves a clause one place; the order has no meaning, only people read it. */
export function moveClause<D extends Document>(document: D, at: number, by: -1 | 1): D {
  const clauses: Clause[] = [...document.clauses];
  const [moved] = clauses.splice(at, 1);
  if (moved) clauses.splice(Math.max(0, at + by), 0, moved);
  return { ...document, clauses };
}

/** A name for a new clause that no other clause has and that is no word of the grammar. */
export function freeId(clauses: readonly { id: string }[], wish: string): string {
  const slug = wish
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '');
  const stem = slug.length > 1 && !RESERVED.has(slug) ? slug.slice(0, 48) : `clause-${slug || '1'}`;
  const taken = new Set(clauses.map((c) => c.id));
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? stem : `${stem}-${n}`;
    if (!taken.has(name)) return name;
  }
}

/** A new clause that shows as little as a clause of its kind can: the person opens it step by step. */
export function newClause(kind: Kind, clauses: readonly { id: string }[]): Clause {
  if (kind === 'limit') return { kind, id: freeId(clauses, 'ceiling'), fields: { user: 'withheld' } };
  const rows: ShareRows = { events: ['malware'], tlp: 'green' };
  const common = { to: {}, purposes: ['detect'], rows };
  if (kind === 'count') return { kind, id: freeId(clauses, 'figures'), ...common, by: { time: 'week' } };
  return { kind, id: freeId(clauses, 'sharing'), ...common, fields: { time: 'day', severity: 'exact' } };
}

/** Sets the level of one field of a share or limit; `null` takes the field out. */
export function setLevel<C extends Share | Limit>(clause: C, field: string, level: string | null): C {
  const fields = { ...clause.fields };
  if (level === null) delete fields[field];
  else fields[field] = level;
  return { ...clause, fields };
}

/** Sets a row condition; undefined, "" and an empty list take it out. */
export function setRows<C extends Clause>(clause: C, change: Partial<ShareRows> & Partial<LimitRows>): C {
  const rows = { ...clause.rows, ...change } as Record<string, unknown>;
  for (const [key, value] of Object.entries(rows)) if (value === undefined || value === '') delete rows[key];
  return { ...clause, rows };
}

/** Adds a value to a list or takes it out. */
export function toggle(values: readonly string[] | undefined, value: string): string[] {
  const list = values ?? [];
  return list.includes(value) ? list.filter((v) => v !== value) : [...list, value];
}

/** Duties with one changed; what equals the strictest value is left out. */
export function setDuty(duties: Duties | undefined, name: string, value: string | number | undefined): Duties {
  const made: Duties = { ...duties, [name]: value };
  if (value === undefined || value === (STRICTEST as Record<string, unknown>)[name]) delete made[name];
  return made;
}

/** The document with its next version's number and the hash it replaces. */
export function amended(document: Agreement, hash: string): Agreement {
  return { ...document, version: document.version + 1, previous: hash };
}

/** Who signs a document: every party, the owner of a charter, the steward of a community's. */
export function signersOf(document: Document): readonly (Signer | Party)[] {
  if (isAgreement(document)) return document.parties;
  return [isCharter(document) ? document.owner : document.steward];
}

/** Organisations that the document names, parties first, each once. */
export function organisationsOf(document: Document): string[] {
  const parties = signersOf(document).map((p) => p.id);
  const named = document.clauses.flatMap((c) => {
    const to: To = c.kind === 'limit' ? (c.outside ?? {}) : c.to;
    return to.organisations ?? [];
  });
  return [...new Set([...parties, ...named])];
}
