/**
 * Reads a release: one Arrow record batch of codes and weights, and one JSON document under `commonwatch` in the schema
 * metadata. Everything that is not exactly the contract is refused with a sentence; a newer contract says so.
 */
import { tableFromIPC } from '@uwdata/flechette';
import { Cube, type Codes, type Weights } from './cube.ts';
import { parseInstant } from './time.ts';

export const CONTRACT = 1;

export interface Measure {
  column: string;
  key: string;
  label: string;
  unit?: string;
  per?: string;
}

export interface Dim {
  key: string;
  label: string;
  kind: string;
  n: number;
  /** Shown values of a categorical dim, by code. */
  values: readonly string[];
  /** n + 1 instants of the time dim, in milliseconds. */
  edges: readonly number[];
  /** The coarsest time precision behind a bin, where the hub says it. */
  disclosed: string | null;
  parent: string | null;
  /** The code that stands for "withheld from you", if any. */
  withheld: number | null;
}

export interface WithheldDim {
  dim: string;
  label: string;
  reason: string;
  ask: string | null;
  clause: string | null;
}

export interface Provenance {
  policy_epoch: number;
  watermark: string;
  made_at: string;
  good_until: string | null;
  agreements: number;
  members: number | null;
}

export interface Release {
  id: string;
  kind: 'exact' | 'thresholded' | 'private';
  measures: readonly Measure[];
  dims: readonly Dim[];
  withheld: readonly WithheldDim[];
  provenance: Provenance;
  codes: readonly Codes[];
  weights: readonly Weights[];
}

/** A release that does not keep the contract; the text is meant for people. */
export class BadRelease extends Error {
  override readonly name = 'BadRelease';
}

type Json = Record<string, unknown>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const list = (value: unknown): Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);

function readMeta(schema: ReadonlyMap<string, string> | null | undefined): Json {
  const raw = schema?.get('commonwatch');
  if (raw === undefined) throw new BadRelease('The release carries no description of itself.');
  let meta: unknown;
  try {
    meta = JSON.parse(raw);
  } catch {
    throw new BadRelease('The description of the release is damaged.');
  }
  if (!isObject(meta)) throw new BadRelease('The description of the release is damaged.');
  const contract = Number(meta['contract']);
  if (contract > CONTRACT)
    throw new BadRelease('The hub is newer than this page. Reload the page to get the matching version.');
  if (contract !== CONTRACT) throw new BadRelease('The release follows no known contract.');
  return meta;
}

function readDim(raw: Json): Dim {
  const key = text(raw['key']);
  if (key === null) throw new BadRelease('A dimension of the release has no key.');
  const kind = text(raw['kind']) ?? 'nominal';
  const edges = Array.isArray(raw['edges']) ? raw['edges'].map((e) => parseInstant(String(e))) : [];
  if (edges.some((e) => e === null)) throw new BadRelease(`The bin edges of “${key}” are not instants.`);
  const values = Array.isArray(raw['values']) ? raw['values'].map(String) : [];
  const n = kind === 'time' ? edges.length - 1 : values.length;
  if (n < 0 || (typeof raw['n'] === 'number' && raw['n'] !== n)) {
    throw new BadRelease(`The dimension “${key}” does not name each of its values.`);
  }
  return {
    key,
    label: text(raw['label']) ?? key,
    kind,
    n,
    values,
    edges: edges as number[],
    disclosed: text(raw['disclosed']),
    parent: text(raw['parent']),
    withheld: typeof raw['withheld'] === 'number' ? raw['withheld'] : null,
  };
}

function checkCodes(codes: Codes, dim: Dim): void {
  for (let i = 0; i < codes.length; i++) {
    if ((codes[i] as number) >= dim.n) throw new BadRelease(`The dimension “${dim.key}” has a code without a value.`);
  }
}

function derive(from: Codes, map: readonly number[], dim: Dim): Codes {
  const codes = dim.n <= 256 ? new Uint8Array(from.length) : new Uint16Array(from.length);
  for (let i = 0; i < from.length; i++) codes[i] = map[from[i] as number] ?? dim.n;
  return codes;
}

/** Reads one Arrow IPC stream. Throws `BadRelease` for anything outside the contract. */
export function readRelease(bytes: ArrayBuffer | Uint8Array): Release {
  let table;
  try {
    table = tableFromIPC(bytes instanceof Uint8Array ? bytes : new Uint8Array(bytes));
  } catch {
    throw new BadRelease('The release is no Arrow stream.');
  }
  const meta = readMeta(table.schema.metadata);
  const column = (name: string): unknown => table.getChild(name)?.toArray() ?? null;
  const dims = list(meta['dims']).map(readDim);
  const measures = list(meta['measures']) as unknown as Measure[];
  if (!dims.length || dims[0]?.kind !== 'time') throw new BadRelease('The first dimension of the release is not time.');
  if (!measures.length) throw new BadRelease('The release measures nothing.');
  const codes = dims.map((dim) => {
    const own = column(dim.key);
    if (!(own instanceof Uint8Array || own instanceof Uint16Array || own instanceof Uint32Array)) {
      throw new BadRelease(`The column “${dim.key}” is missing or has a wrong type.`);
    }
    checkCodes(own, dim);
    return own as Codes;
  });
  for (const rule of list(meta['derived'])) {
    const dim = readDim(isObject(rule['dim']) ? rule['dim'] : {});
    const from = codes[dims.findIndex((d) => d.key === rule['from'])];
    if (!from || !Array.isArray(rule['map'])) {
      throw new BadRelease(`“${dim.key}” is derived from a dimension that is not there.`);
    }
    const own = derive(from, rule['map'] as number[], dim);
    checkCodes(own, dim);
    dims.push(dim);
    codes.push(own);
  }
  const weights = measures.map((measure) => {
    const own = column(measure.column);
    if (!(own instanceof Uint32Array || own instanceof Float32Array)) {
      throw new BadRelease(`The weights “${measure.column}” are missing or have a wrong type.`);
    }
    return own;
  });
  const kind = text(meta['kind']);
  if (kind !== 'exact' && kind !== 'thresholded' && kind !== 'private')
    throw new BadRelease('The release names no known basis.');
  return {
    id: String(meta['release'] ?? ''),
    kind,
    measures,
    dims,
    withheld: list(meta['withheld']) as unknown as WithheldDim[],
    provenance: meta['provenance'] as Provenance,
    codes,
    weights,
  };
}

/** The crossfilter of a release for one of its measures (the first where the key is unknown). */
export function cubeOf(release: Release, measure: string): Cube {
  const at = Math.max(
    0,
    release.measures.findIndex((m) => m.key === measure),
  );
  return new Cube(
    release.codes,
    release.dims.map((d) => d.n),
    release.weights[at] as Weights,
  );
}
