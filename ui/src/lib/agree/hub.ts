/**
 * What the agreement pages ask of the hub. Shapes as the hub's OpenAPI document says; nothing is kept here.
 */
import { Problem, type Api } from '../api.ts';
import { BLANK_KEY, isAgreement, type Agreement, type Clause, type Document, type To } from './document.ts';
import type { Fault } from './faults.ts';
import type { Community } from './known.ts';
import type { Envelope, Signature } from './jws.ts';
import type { Patch } from './patch.ts';
import { ROLES } from './words.ts';

export interface Checked {
  document: Document | null;
  yaml: string | null;
  text: string | null;
  sentences: { clause: string; text: string }[];
  digest: string | null;
  problems: (Fault & { line?: number | null })[];
  ready: boolean;
}

/** A document without the blanks that stand for keys not known yet. */
export function withoutBlanks<D extends Document>(document: D): D {
  if (!isAgreement(document)) return document;
  const parties = document.parties.map((party) => {
    const { key, ...rest } = party;
    return key && key !== BLANK_KEY ? party : rest;
  });
  return { ...document, parties };
}

/** Faults a person has to mend. A key that is missing is filled in by the hub when the agreement is offered. */
export function toMend(checked: Checked | null): Checked['problems'] {
  return (checked?.problems ?? []).filter((p) => !/^\$\.(parties\[\d+\]|owner|steward)\.key$/.test(p.path));
}

export function check(api: Api, document: Document | string, signal?: AbortSignal): Promise<Checked> {
  return api.json('POST', 'api/agreements/check', { document }, signal);
}

// --- preview ---------------------------------------------------------------------------------------------------------

export interface Because {
  reason: string;
  clause?: string | null;
  ask?: string | null;
  rows?: number | null;
}
type Cell = import('../api.ts').Cell;
type Column = import('../api.ts').Column;

export interface FieldPreview {
  field: string;
  label: string;
  granted: string | null;
  now: Record<string, number>;
  would: Record<string, number>;
  because?: Because[];
}
export interface LabelPreview {
  event_class: string;
  tlp: string;
  severity: string;
  site: string;
  rows: number;
  now: number;
  would: number;
  because?: Because[];
}
export interface CountPreview {
  clause: string;
  text: string;
  by: Record<string, string>;
  measures: string[];
  contributors: number;
  noise: { epsilon: number; total?: number } | null;
  cut: string[];
  rows: number;
}
export interface ReaderPreview {
  name: string;
  kind: 'organisation' | 'community' | 'role';
  known: boolean;
  purposes: string[];
  total: number;
  now: number;
  would: number;
  classes: { event_class: string; rows: number; now: number; would: number }[];
  labels: LabelPreview[];
  fields: FieldPreview[];
  columns: Column[];
  rows: { raw: Cell[]; shown: Cell[]; clauses: string[] }[];
  counts: CountPreview[];
  feed: { newly: number; no_longer: number; objects: Record<string, unknown>[] };
}
export interface Preview {
  owner: string;
  document: string;
  version: number;
  since: string;
  until: string;
  days: number;
  total: number;
  readers: ReaderPreview[];
  left_out: string[];
  staying: {
    rows: number;
    labels: LabelPreview[];
    fields: { field: string; label: string; because: Because[] }[];
    columns: Column[];
    examples: Cell[][];
  };
}

export function preview(api: Api, document: Document, days: number, signal?: AbortSignal): Promise<Preview> {
  return api.json('POST', 'api/agreements/preview', { document, days }, signal);
}

// --- directory -------------------------------------------------------------------------------------------------------

/** Whom a member may pick by name: who offers a service, and my communities. */
export interface Directory {
  services: readonly { org: string; name: string; roles: readonly string[] }[];
  communities: readonly Community[];
}

export const directory = (api: Api): Promise<Directory> => api.json('GET', 'api/directory');

// --- impact ----------------------------------------------------------------------------------------------------------

export interface Change {
  owner: string;
  text: string;
  witness: { text: string };
  fields?: { field: string; before: string; after: string }[];
  rows: { text: string };
  to: { text: string };
  purposes: string[];
  clause?: unknown;
}
export interface Finding {
  kind: string;
  weight: 'warning' | 'note';
  document: string;
  path: string;
  message: string;
  todo?: string;
  witness?: { text: string } | null;
  fix?: { text: string; patches: Patch[] } | null;
}
export interface Impact {
  newly: Change[];
  no_longer: Change[];
  newly_counted?: Change[];
  no_longer_counted?: Change[];
  findings: Finding[];
  /** Whether it says only what agreements that I may read would do. */
  partial?: boolean;
}

export function impact(api: Api, document: Document, signal?: AbortSignal): Promise<Impact> {
  return api.json('POST', 'api/agreements/impact', { document }, signal);
}

// --- life ------------------------------------------------------------------------------------------------------------

export interface Draft {
  id: string;
  document: Agreement;
  edition: number;
  org?: string;
  shared?: boolean;
  changed?: number;
  by?: string;
}

export interface Notification {
  uid: string;
  at: number;
  kind: string;
  subject: string;
  text: string;
  detail: Record<string, unknown>;
  seen: boolean;
}

export function notifications(
  api: Api,
  signal?: AbortSignal,
): Promise<{ unseen: number; notifications: Notification[] }> {
  return api.json('GET', 'api/notifications', undefined, signal);
}

export function markSeen(api: Api, uids: readonly string[] | null): Promise<{ unseen: number }> {
  return api.json('POST', 'api/notifications/seen', { uids });
}

// --- templates -------------------------------------------------------------------------------------------------------

export interface Parameter {
  name: string;
  kind: 'owner' | 'operator' | 'member' | 'community' | 'organisations' | 'communities' | 'sites';
  ask: string;
  level?: number;
  optional?: boolean;
}
export interface TemplateLevel {
  level: number;
  name: string;
  title: string;
  summary: string;
  give: string[];
  get: string[];
}
export interface Template {
  id: string;
  version: number;
  title: string;
  summary: string;
  community: string | null;
  publisher: string | null;
  parameters: Parameter[];
  levels: TemplateLevel[];
}
/** A template with its clauses, each from its level on, and what each level says. */
export interface TemplateWhole extends Template {
  document: { clauses: { level: number; last?: number; clause: Clause }[] };
  texts: LevelText[];
}
export interface LevelText {
  level: number;
  text: string;
}
/** What is wrong with a template; where nothing is, how each of its levels will read. */
export interface CheckedTemplate {
  problems: (Fault & { line?: number | null })[];
  id: string;
  version: number;
  community: string | null;
  levels: TemplateLevel[];
  texts: LevelText[];
  yaml: string;
}

export const templates = (api: Api, signal?: AbortSignal): Promise<Template[]> =>
  api.json('GET', 'api/templates', undefined, signal);
export const templateWhole = (api: Api, id: string, signal?: AbortSignal): Promise<TemplateWhole> =>
  api.json('GET', `api/templates/${encodeURIComponent(id)}`, undefined, signal);

export const checkTemplate = (api: Api, document: unknown, signal?: AbortSignal): Promise<CheckedTemplate> =>
  api.json('POST', 'api/templates/check', { document }, signal);
export const publishTemplate = (api: Api, document: string): Promise<Template> =>
  api.json('POST', 'api/templates', { document });
export const withdrawTemplate = (api: Api, id: string): Promise<unknown> =>
  api.json('DELETE', `api/templates/${encodeURIComponent(id)}`);

/** A copy of a template for a community: it names the community instead of asking for one. */
export function forCommunity(whole: TemplateWhole, community: string): unknown {
  const text = JSON.stringify(whole.document).replaceAll('"the-community"', JSON.stringify(community));
  const copy = JSON.parse(text) as { parameters?: Parameter[]; [more: string]: unknown };
  const parameters = (copy.parameters ?? []).filter((p) => p.kind !== 'community');
  return { ...copy, parameters, id: `${community}-${whole.id}`.slice(0, 63), version: 1, community };
}

/** The next version of a template, still as the one before. */
export const nextOf = (whole: TemplateWhole): unknown => ({ ...whole.document, version: whole.version + 1 });

/** A draft made from a template at a level. */
export async function instantiate(
  api: Api,
  template: string,
  level: number,
  parameters: Record<string, unknown>,
): Promise<Agreement> {
  const path = `api/templates/${encodeURIComponent(template)}/instantiate`;
  const made = await api.json<Checked>('POST', path, { level, parameters });
  const document = made.document as Agreement | null;
  const [first] = made.problems;
  if (!document) throw new Problem(400, 'invalid-input', first?.message ?? 'No draft could be made.', '', first?.todo);
  return withoutBlanks(document);
}

/** Who would be shown something at a level, in words; placeholders stand for what is asked. */
export function readersAt(template: TemplateWhole, level: number): string[] {
  const clauses = template.document.clauses
    .filter((t) => t.clause.kind !== 'limit' && level >= t.level && level <= (t.last ?? 9))
    .map((t) => t.clause);
  const found = clauses.flatMap((clause) => {
    const to: To = clause.kind === 'limit' ? {} : clause.to;
    const orgs = (to.organisations ?? []).map((id) => (id === 'the-operator' ? 'your security provider' : mark(id)));
    const communities = (to.communities ?? []).map((id) => (id === 'the-community' ? 'your community' : mark(id)));
    const what = clause.kind === 'count' ? ' (figures only)' : '';
    return [...orgs, ...communities, ...(to.roles ?? []).map((r) => (ROLES[r] ?? r).replace(/^all /, ''))].map(
      (who) => `${who}${what}`,
    );
  });
  const whole = new Set(found.filter((who) => !who.endsWith(' (figures only)')));
  return [...new Set(found)].filter((who) => !whole.has(who.replace(' (figures only)', '')) || whole.has(who));
}

const mark = (id: string): string => (id.startsWith('the-') ? `your ${id.slice(4)}` : id);

// --- offers and keys -------------------------------------------------------------------------------------------------

export interface OfferParty {
  id: string;
  name: string;
  role: string;
  key: string;
  signed?: number | null;
  held?: boolean;
}
export interface Offer {
  hash: string;
  id: string;
  version: number;
  kind: string;
  title: string;
  owner: string;
  state: 'offered' | 'partly-signed' | 'agreed' | 'declined' | 'withdrawn' | 'outdated';
  offered_by: string;
  at: number;
  ended: number | null;
  reason: string;
  parties: OfferParty[];
  awaiting: string[];
  may: string[];
  text: string;
  payload: string;
  text_hash: string;
  grammar: string;
  impact: Impact | null;
}

export function offers(api: Api, signal?: AbortSignal): Promise<Offer[]> {
  return api.json('GET', 'api/offers', undefined, signal);
}

export function offer(api: Api, hash: string, signal?: AbortSignal): Promise<Offer> {
  return api.json('GET', `api/offers/${encodeURIComponent(hash)}`, undefined, signal);
}

export function makeOffer(api: Api, document: Document): Promise<Offer> {
  return api.json('POST', 'api/agreements/offer', { document });
}

/** Signs an offer with a signature made here, or (null) with the key the hub holds. */
export function signPart(api: Api, hash: string, part: Signature | null): Promise<Offer> {
  const body = part ? { protected: part.protected, signature: part.signature } : { held: true };
  return api.json('POST', `api/agreements/${encodeURIComponent(hash)}/sign`, body);
}

export function endOffer(api: Api, hash: string, how: 'decline' | 'withdraw', reason: string): Promise<Offer> {
  return api.json('POST', `api/agreements/${encodeURIComponent(hash)}/${how}`, { reason });
}

export interface OrgKey {
  thumbprint: string;
  public?: string;
  held: boolean;
  added: number;
  ended: number | null;
}

// --- agreements that were signed -------------------------------------------------------------------------------------

export interface Version {
  version: number;
  hash: string;
  state: string;
  title: string;
  starts: string;
  ends: string;
  registered: number;
  text: string;
  signers: OfferParty[];
}
export interface Life {
  id: string;
  state: string;
  versions: Version[];
  offers: Offer[];
  awaiting: string[];
  may: string[];
}
export interface ToAccept {
  id: string;
  version: number;
  hash: string;
  owner: string;
  title: string;
  state: string;
  text: string;
  accepted: boolean;
}
export interface HistoryEntry {
  index: number;
  at: number | string;
  kind: string;
  actor?: string | null;
  [more: string]: unknown;
}

const at = (id: string, part = ''): string => `api/agreements/${encodeURIComponent(id)}${part}`;

export function agreement(api: Api, id: string, signal?: AbortSignal): Promise<Signed> {
  return api.json('GET', at(id), undefined, signal);
}

export interface Signed {
  id: string;
  version: number;
  title: string;
  state: string;
  owner: string;
  parties: { id?: string; org?: string; name?: string; role?: string }[];
  starts: string;
  ends: string;
  may_revoke: boolean;
  text: string;
  hash?: string;
  may?: string[];
  document?: Agreement | null;
}

export const life = (api: Api, id: string, signal?: AbortSignal): Promise<Life> =>
  api.json('GET', at(id, '/life'), undefined, signal);
export const history = (api: Api, id: string, signal?: AbortSignal): Promise<HistoryEntry[]> =>
  api.json('GET', at(id, '/history'), undefined, signal);
export const toAccept = (api: Api, signal?: AbortSignal): Promise<ToAccept[]> =>
  api.json('GET', 'api/duties', undefined, signal);

export type StepKind = 'suspend' | 'resume' | 'revoke' | 'accept-duties';
export interface StepDone {
  epoch: number;
  withdrawn?: Record<string, unknown>;
  [more: string]: unknown;
}

/** A step of an agreement in force; `statement` is signed with a key of ours, or the hub signs with the one it holds. */
export function takeStep(
  api: Api,
  id: string,
  kind: StepKind,
  reason: string,
  statement: Envelope | null,
): Promise<StepDone> {
  return api.json('POST', at(id, `/${kind}`), statement ? { reason, statement } : { reason });
}

// --- questions -------------------------------------------------------------------------------------------------------

export interface ClauseRef {
  agreement?: string;
  id?: string;
  version?: number;
  clause?: string;
}
export interface Sight {
  owner: string;
  to: { text: string };
  purposes: string[];
  rows: { text: string };
  clauses: (ClauseRef | string)[];
  text?: string;
  fields?: Record<string, string>;
}
export interface WhoSees {
  field: string;
  at_least: string;
  readers: { org: string; purpose: string; future?: boolean }[];
  sights: Sight[];
}

/** A clause as `agreement@version#clause` in its parts. */
export function refOf(ref: ClauseRef | string): { agreement: string; version: string; clause: string } {
  const found = typeof ref === 'string' ? /^(.*)@(\d+)#(.*)$/.exec(ref) : null;
  if (found) return { agreement: found[1] ?? '', version: found[2] ?? '', clause: found[3] ?? '' };
  if (typeof ref === 'string') return { agreement: ref, version: '', clause: '' };
  return { agreement: ref.agreement ?? ref.id ?? '', version: String(ref.version ?? ''), clause: ref.clause ?? '' };
}

/** Whether an offer can still be signed. */
export const isOpen = (o: Offer): boolean => o.state === 'offered' || o.state === 'partly-signed';

// --- withdrawals -----------------------------------------------------------------------------------------------------

/** What the hub took back when an agreement was suspended or revoked, with its signature. */
export interface Certified {
  document: {
    number: number;
    kind: string;
    by: string;
    stated: number;
    complete: boolean;
    readers: {
      org: string;
      indicators?: { id: string; served: boolean }[];
      taxii: number;
      pushed: number;
      releases: number;
      snapshots: number;
      tables: number;
      streams: number;
    }[];
    gateways: { gateway: string; org: string; acknowledged?: number | null }[];
    remains?: string[];
  };
  envelope: Envelope;
}

export const withdrawals = (api: Api, id: string, signal?: AbortSignal): Promise<Certified[]> =>
  api.json('GET', at(id, '/withdrawals'), undefined, signal);
