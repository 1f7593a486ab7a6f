/**
 * The typed client of the hub. Every failure is a `Problem` (RFC 9457); aborted questions throw `AbortError` and are
 * nobody's failure. State-changing calls carry `X-Commonwatch: 1`. Addresses are relative to the page's base, so that
 * any prefix works. Nothing is kept.
 */
import type { Filter } from './filter.ts';

export type Purpose = 'operate' | 'detect' | 'respond' | 'research';

export interface Org {
  org: string;
  name: string;
  roles: string[];
  communities: string[];
  sector: string;
  region: string;
  size: string;
}

export interface Session {
  person: { id: string; name: string };
  org: Org;
  purpose: Purpose;
  purposes: Purpose[];
  epoch: number;
  admin: boolean;
}

export interface FieldView {
  field: string;
  label: string;
  granted: string | null;
  uniform: boolean;
  withheld: { reason: string; ask: string | null; clause: string | null } | null;
}

export interface BoundAgreement {
  id: string;
  version: number;
  owner: string;
  owner_name: string;
  title: string;
  state: string;
  clauses: { id: string; text: string }[];
}

export interface ViewDescription {
  reader: { org: string; roles: string[]; communities: string[]; purpose: Purpose };
  epoch: number;
  watermark: string;
  agreements: BoundAgreement[];
  fields: FieldView[];
}

export interface ReleaseInfo {
  id: string;
  kind: string;
  window: { from: string; to: string };
  bin: string;
  cells: number;
  bytes: number;
  dims: string[];
  measures: string[];
  good_until: string | null;
}

export interface Hidden {
  withheld: string;
  ask?: string | null;
  clause?: string | null;
}

export type Cell = string | number | boolean | string[] | Hidden | null;

export interface Column {
  name: string;
  label: string;
  kind: string;
  field?: string | null;
  disclosure?: string | null;
}

export interface AnswerRow {
  cells: Cell[];
  ref?: string | null;
  clauses?: number[];
}

export interface Answer {
  query: string;
  epoch: number;
  watermark: string;
  columns: Column[];
  rows: AnswerRow[];
  clauses: string[];
  other: number | null;
  total: number | null;
  bin: string | null;
  after: string | null;
  notes: string[];
}

export type Query =
  | {
      kind: 'rows';
      filter: Filter;
      columns?: string[];
      order?: { column: string; descending: boolean };
      limit: number;
      after?: string;
    }
  | { kind: 'top'; filter: Filter; by: string; measure?: string; limit: number }
  | { kind: 'distinct'; filter: Filter; by: string }
  | { kind: 'histogram'; filter: Filter; bin: '15m' | '1h' | '6h' | '1d' | '1w' };

export interface AgreementInfo {
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
}

export interface Indicator {
  id: string;
  kind: string;
  value: string;
  pattern: string;
  valid_from: string;
  valid_until: string | null;
  confidence: number | null;
  sources: number | null;
  first_seen: string | null;
  last_seen: string | null;
  sightings: number | null;
  malware?: string | null;
}

export interface Alert {
  id: string;
  title?: string;
  kind?: string;
  state?: string;
  at?: string;
  text?: string;
  filter?: Partial<Filter>;
  [more: string]: unknown;
}

export interface Gateway {
  id: string;
  org: string;
  name: string;
  enrolled: number;
  last_seen: number | null;
  connected: boolean;
  status: Record<string, unknown>;
}

export interface Checkpoint {
  size: number;
  root: string;
  signature?: string;
  key?: string;
  [more: string]: unknown;
}

export type AuditEntry = Record<string, unknown>;

/** What the hub said when it would not: title, what happened, where, and what to do. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly where = '',
    readonly todo = '',
  ) {
    super(detail);
  }
}

/** The problem behind anything thrown; null for an abort. */
export function problemOf(error: unknown): Problem | null {
  if (error instanceof Problem) return error;
  if (error instanceof DOMException && error.name === 'AbortError') return null;
  if (error instanceof Error && error.name === 'BadRelease') return new Problem(0, 'bad-release', error.message);
  return new Problem(
    0,
    'unreachable',
    'The hub does not answer.',
    '',
    'Check the network; this page tries again by itself.',
  );
}

async function readProblem(response: Response): Promise<Problem> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // Not a problem document (a proxy's page, say): the status has to do.
  }
  const say = (key: string): string => (typeof body[key] === 'string' ? body[key] : '');
  const code = say('type').split(':').pop() || String(response.status);
  return new Problem(
    response.status,
    code,
    say('detail') || say('title') || `The hub answered ${response.status}.`,
    say('where'),
    say('todo'),
  );
}

type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export class Api {
  /** Called when the hub no longer knows who we are. */
  onSignedOut: () => void = () => undefined;

  constructor(
    private readonly base: string,
    private readonly fetch: Fetch = (input, init) => globalThis.fetch(input, init),
  ) {}

  /** The absolute address of an API path such as `api/session`. */
  at(path: string): string {
    return new URL(path, this.base).href;
  }

  private async send(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json', ...more };
    if (method !== 'GET') headers['X-Commonwatch'] = '1';
    const init: RequestInit = { method, headers, credentials: 'same-origin', cache: 'no-store' };
    if (body instanceof Blob) {
      headers['Content-Type'] = 'application/octet-stream';
      init.body = body;
    } else if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      init.body = JSON.stringify(body);
    }
    if (signal) init.signal = signal;
    const response = await this.fetch(this.at(path), init);
    if (response.ok) return response;
    const problem = await readProblem(response);
    if (problem.status === 401 && path !== 'api/session') this.onSignedOut();
    throw problem;
  }

  /** Any call of the API that answers with JSON; for the pages that are loaded when they are opened. */
  async json<T>(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    more: Readonly<Record<string, string>> = {},
  ): Promise<T> {
    const response = await this.send(method, path, body, signal, more);
    return (response.status === 204 ? null : await response.json()) as T;
  }

  session(): Promise<Session> {
    return this.json('GET', 'api/session');
  }

  async openWithLink(link: string, passphrase: string): Promise<void> {
    await this.json('POST', 'api/session', passphrase ? { link, passphrase } : { link });
  }

  async openWithPassphrase(person: string, passphrase: string): Promise<void> {
    await this.json('POST', 'api/session', { person, passphrase });
  }

  async switchPurpose(purpose: Purpose): Promise<void> {
    await this.json('POST', 'api/session/purpose', { purpose });
  }

  async close(): Promise<void> {
    await this.send('DELETE', 'api/session');
  }

  view(signal?: AbortSignal): Promise<ViewDescription> {
    return this.json('GET', 'api/view', undefined, signal);
  }

  async releases(signal?: AbortSignal): Promise<ReleaseInfo[]> {
    return (await this.json<{ releases: ReleaseInfo[] }>('GET', 'api/releases', undefined, signal)).releases;
  }

  async release(id: string, signal?: AbortSignal): Promise<ArrayBuffer> {
    return (await this.send('GET', `api/releases/${encodeURIComponent(id)}`, undefined, signal)).arrayBuffer();
  }

  query(query: Query, signal?: AbortSignal): Promise<Answer> {
    return this.json('POST', 'api/query', query, signal);
  }

  async agreements(signal?: AbortSignal): Promise<AgreementInfo[]> {
    return listOf(await this.json('GET', 'api/agreements', undefined, signal), 'agreements');
  }

  revoke(id: string, reason: string): Promise<{ epoch: number; withdrawn: Record<string, unknown> }> {
    return this.json('POST', `api/agreements/${encodeURIComponent(id)}/revoke`, { reason });
  }

  async indicators(limit: number, signal?: AbortSignal): Promise<Indicator[]> {
    return listOf(await this.json('GET', `api/indicators?limit=${limit}`, undefined, signal), 'indicators');
  }

  async alerts(signal?: AbortSignal): Promise<Alert[]> {
    return listOf(await this.json('GET', 'api/alerts', undefined, signal), 'alerts');
  }

  async gateways(signal?: AbortSignal): Promise<Gateway[]> {
    return listOf(await this.json('GET', 'api/gateways', undefined, signal), 'gateways');
  }

  checkpoint(signal?: AbortSignal): Promise<Checkpoint> {
    return this.json('GET', 'api/audit/checkpoint', undefined, signal);
  }

  async entries(from: number, limit: number, signal?: AbortSignal): Promise<AuditEntry[]> {
    return listOf(
      await this.json('GET', `api/audit/entries?from=${from}&limit=${limit}`, undefined, signal),
      'entries',
    );
  }
}

/** A list, whether the hub sends it bare or as the named member of an object. */
function listOf<T>(body: unknown, name: string): T[] {
  if (Array.isArray(body)) return body as T[];
  const inside = (body as Record<string, unknown> | null)?.[name];
  return Array.isArray(inside) ? (inside as T[]) : [];
}

/** Whether a cell is withheld. */
export function isHidden(cell: Cell | undefined): cell is Hidden {
  return typeof cell === 'object' && cell !== null && !Array.isArray(cell) && 'withheld' in cell;
}
