/**
 * The controlled English of documents, made in the browser: for the editor as segments whose changeable parts can be
 * pressed, and as the whole text, so that the browser itself can see that what it signs is what it shows.
 *
 * Rules held here: `say(document)` is byte for byte what the hub says (`sentences.json` tests it); a clause that is not
 * finished yet still has a sentence; the joined segments are the sentence.
 */
import {
  isAgreement,
  isCharter,
  normalClause,
  STRICTEST,
  type Agreement,
  type Clause,
  type Count,
  type Document,
  type Duties,
  type Law,
  type Levels,
  type Limit,
  type LimitRows,
  type Noise,
  type Origin,
  type Party,
  type Share,
  type ShareRows,
  type Signer,
  type To,
} from './document.ts';
import {
  CLASSES,
  DUTIES,
  FIELD_NAMES,
  labelOf,
  levelPhrase,
  MEASURES,
  PARTIES,
  PURPOSES,
  ROLES,
  TELLING,
} from './words.ts';

/** The parts of a sentence that a person can change. */
export type Slot =
  | 'events'
  | 'tlp'
  | 'severity'
  | 'sites'
  | 'ages'
  | 'to'
  | 'outside'
  | 'purposes'
  | 'fields'
  | 'lookup'
  | 'measures'
  | 'by'
  | 'group'
  | 'on';

export interface Segment {
  text: string;
  slot?: Slot;
}

/** `a`, `a and b`, `a, b and c`. */
export function join(items: readonly string[], last: string): string {
  if (items.length < 2) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} ${last} ${items.at(-1)}`;
}

/** `1 day`, `90 days`, `5 hours`. */
export function hours(count: number): string {
  const [number, unit] = count % 24 === 0 ? [count / 24, 'day'] : [count, 'hour'];
  return `${number} ${unit}${number === 1 ? '' : 's'}`;
}

const said = (table: Readonly<Record<string, string>>, words: readonly string[]): string[] =>
  words.map((word) => table[word] ?? word);

/** `2.0`, `0.125`: a number as the hub writes it. */
const decimal = (value: number): string => (Number.isInteger(value) ? `${value}.0` : String(value));

/** Whom a clause names; "nobody" where it names none. */
export function sayTo(to: To): string {
  const groups: string[] = [];
  const { organisations: orgs = [], communities = [], roles = [] } = to;
  if (orgs.length) groups.push(`organisation${orgs.length === 1 ? '' : 's'} ${join(orgs, 'and')}`);
  if (communities.length) groups.push(`communit${communities.length === 1 ? 'y' : 'ies'} ${join(communities, 'and')}`);
  return [...groups, ...said(ROLES, roles)].join('; ') || 'nobody';
}

export const sayPurposes = (purposes: readonly string[]): string =>
  join(said(PURPOSES, purposes), 'or') || 'no purpose';

/** Fields grouped by level, groups and fields in catalogue order: `time and severity exactly`. */
export function sayLevels(levels: Levels): string[] {
  const groups = new Map<string, string[]>();
  for (const field of FIELD_NAMES) {
    const level = levels[field];
    if (level) groups.set(level, [...(groups.get(level) ?? []), labelOf(field)]);
  }
  return [...groups].map(([level, labels]) => `${join(labels, 'and')} ${levelPhrase(level)}`);
}

function sayNoise(noise: Noise): string {
  const total = noise.total ? ` and ${decimal(noise.total)} in all` : '';
  return `noise spending at most epsilon ${decimal(noise.epsilon)} in each eight-week window${total}`;
}

const classes = (events: readonly string[] | undefined, none: string): string =>
  join(said(CLASSES, events ?? []), 'and') || none;

function where(rows: ShareRows | LimitRows, severity: string | undefined): Segment[] {
  const parts: Segment[] = [];
  if (severity) parts.push({ text: ' of ' }, { text: `${severity} severity or above`, slot: 'severity' });
  if (rows.sites?.length) parts.push({ text: ' at ' }, { text: `site ${join(rows.sites, 'or')}`, slot: 'sites' });
  const ages = [
    rows.after ? `once they are ${hours(rows.after)} old` : '',
    rows.until ? `until they are ${hours(rows.until)} old` : '',
  ].filter(Boolean);
  return ages.length ? [...parts, { text: ', ' }, { text: ages.join(', '), slot: 'ages' }] : parts;
}

function shareRows(rows: ShareRows): Segment[] {
  return [
    { text: classes(rows.events, 'no'), slot: 'events' },
    { text: ' events marked ' },
    { text: `TLP:${rows.tlp.toUpperCase()} or lower`, slot: 'tlp' },
    ...where(rows, rows.severity),
  ];
}

function audience(clause: Share | Count): Segment[] {
  return [
    { text: ' with ' },
    { text: sayTo(clause.to), slot: 'to' },
    { text: ' for ' },
    { text: sayPurposes(clause.purposes), slot: 'purposes' },
  ];
}

function share(clause: Share): Segment[] {
  const parts: Segment[] = [
    { text: 'Share ' },
    ...shareRows(clause.rows),
    ...audience(clause),
    { text: ': ' },
    { text: sayLevels(clause.fields).join('; ') || 'nothing', slot: 'fields' },
  ];
  const { lookup } = clause;
  if (lookup) {
    const labels = join(lookup.fields.map(labelOf), 'and');
    const text = `up to ${lookup.per_day ?? 100} known values a day of ${labels} may be looked up`;
    parts.push({ text: '; ' }, { text, slot: 'lookup' });
  }
  return [...parts, { text: '.' }];
}

function count(clause: Count): Segment[] {
  const steps = FIELD_NAMES.flatMap((f) => (clause.by[f] ? [`${labelOf(f)} ${levelPhrase(clause.by[f])}`] : []));
  const least = clause.contributors ?? 5;
  const group = clause.noise
    ? `only in releases that pool at least ${least} contributors, with ${sayNoise(clause.noise)}`
    : `only for groups of at least ${least} contributors`;
  return [
    { text: 'Share counts of ' },
    { text: join(said(MEASURES, clause.measures ?? ['onsets']), 'and') || 'nothing', slot: 'measures' },
    { text: ' in ' },
    ...shareRows(clause.rows),
    ...audience(clause),
    { text: ', by ' },
    { text: join(steps, 'and') || 'nothing', slot: 'by' },
    { text: ', ' },
    { text: group, slot: 'group' },
    { text: '.' },
  ];
}

function limit(clause: Limit): Segment[] {
  const rows = clause.rows ?? {};
  const parts: Segment[] = [{ text: 'For ' }, { text: `${classes(rows.events, 'all')} events`, slot: 'events' }];
  if (rows.from_tlp)
    parts.push({ text: ' marked ' }, { text: `TLP:${rows.from_tlp.toUpperCase()} or higher`, slot: 'tlp' });
  parts.push(...where(rows, rows.from_severity));
  if (clause.purposes?.length)
    parts.push({ text: ' read for ' }, { text: sayPurposes(clause.purposes), slot: 'purposes' });
  parts.push({ text: ', ' });
  if (clause.on && clause.on !== 'both')
    parts.push({ text: clause.on === 'rows' ? 'in single events' : 'in counts', slot: 'on' }, { text: ', ' });
  parts.push({ text: 'never show anyone' });
  const outside = sayTo(clause.outside ?? {});
  if (outside !== 'nobody') parts.push({ text: ' outside ' }, { text: outside, slot: 'outside' });
  parts.push({ text: ' more than: ' });
  const levels = sayLevels(clause.fields ?? {}).join('; ');
  const caps = [
    clause.contributors ? `counts for groups of at least ${clause.contributors} contributors` : '',
    clause.noise ? sayNoise(clause.noise) : '',
  ].filter(Boolean);
  if (levels || !caps.length) parts.push({ text: levels || 'anything', slot: 'fields' });
  if (levels && caps.length) parts.push({ text: '; ' });
  if (caps.length) parts.push({ text: caps.join('; '), slot: 'group' });
  return [...parts, { text: '.' }];
}

/** One clause as its sentence without the name in brackets; the parts that can be changed have a slot. */
export function segments(clause: Clause): Segment[] {
  const normal = normalClause(clause);
  if (normal.kind === 'share') return share(normal);
  return normal.kind === 'count' ? count(normal) : limit(normal);
}

/** One clause as one sentence. */
export function sayClause(clause: Clause): string {
  return `[${clause.id}] ${segments(clause)
    .map((s) => s.text)
    .join('')}`;
}

/** All duties, one after the other. */
export function sayDuties(duties: Duties): string {
  const strict = STRICTEST as Readonly<Record<string, string | number>>;
  const parts = Object.entries(DUTIES).map(([name, table]) => {
    const value = String(duties[name] ?? strict[name]);
    return table[value] ?? value;
  });
  const days = duties.delete_after_days;
  parts.push(days ? `delete it after ${hours(days * 24)}` : 'delete it when this agreement ends');
  parts.push(`report a breach within ${hours(duties.breach_notice_hours ?? STRICTEST.breach_notice_hours)}`);
  const told = TELLING[String(duties['notify_owner_on_access'] ?? '')];
  if (told) parts.push(told);
  return parts.join('; ');
}

const LAW = ['purpose', 'basis', 'roles', 'jurisdiction', 'notes'] as const;

const sayLaw = (law: Law): string => LAW.flatMap((name) => (law[name] ? [`${name} "${law[name]}"`] : [])).join('; ');

const saySigner = (role: string, signer: Signer): string =>
  `${role} is organisation ${signer.id}, "${signer.name ?? ''}", signing with key ${signer.key ?? ''}.`;

function heading(document: Agreement): string[] {
  const lines: string[] = [];
  if (document.community)
    lines.push(`It is made in community ${document.community} and bound by the charter of that community.`);
  lines.push(`It is valid from ${document.starts} to ${document.ends}, both days included.`);
  if (document.origin) lines.push(sayOrigin(document.origin));
  return [...lines, ...document.parties.flatMap(sayParty)];
}

function sayOrigin(origin: Origin): string {
  const changed = origin.changed?.length ? `, changed in ${join(origin.changed, 'and')}` : '';
  return `It was made from template ${origin.template}, version ${origin.version}, at level ${origin.level}${changed}.`;
}

function sayParty(party: Party): string[] {
  const contacts = (party.contacts ?? []).map(
    (contact) => `Contact at organisation ${party.id} is "${contact.name}", reached at "${contact.reach}".`,
  );
  return [saySigner(PARTIES[party.role] ?? party.role, party), ...contacts];
}

function sayKind(document: Document): string {
  if (isAgreement(document)) return 'Data Sharing Agreement';
  return isCharter(document) ? 'Charter' : `Charter of community ${document.community},`;
}

/** The whole document in words, one sentence a line. */
export function say(document: Document): string {
  const lines = [`${sayKind(document)} ${document.id}, version ${document.version}: "${document.title}".`];
  if (document.previous) lines.push(`It replaces the version whose SHA-256 is ${document.previous}.`);
  if (isAgreement(document)) lines.push(...heading(document));
  else lines.push(isCharter(document) ? saySigner('Owner', document.owner) : saySigner('Steward', document.steward));
  lines.push(...document.clauses.map(sayClause));
  if (isAgreement(document)) {
    lines.push(`Whoever receives under this agreement shall: ${sayDuties(document.duties ?? {})}.`);
    if (document.law) lines.push(`Law, not interpreted: ${sayLaw(document.law)}.`);
  }
  return lines.map((line) => `${line}\n`).join('');
}
