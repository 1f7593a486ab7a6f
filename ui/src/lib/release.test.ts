import { tableFromArrays, tableToIPC, uint8, uint16, uint32, type DataType } from '@uwdata/flechette';
import { describe, expect, test } from 'vitest';
import { BadRelease, cubeOf, readRelease } from './release.ts';

type Json = Record<string, unknown>;

const SECTOR = { key: 'sector', label: 'sector', kind: 'nominal', n: 2, values: ['Legal', 'Retail'] };

const META: Json = {
  contract: 1,
  release: 'r1',
  version: 1,
  kind: 'exact',
  measures: [{ column: 'w0', key: 'events', label: 'events' }],
  dims: [
    { key: 't', label: 'time', kind: 'time', n: 2, edges: ['2026-11-06T00:00:00Z', '2026-11-06T01:00:00Z', '2026-11-06T03:00:00Z'] },
    { key: 'org', label: 'contributor', kind: 'org', n: 3, values: ['a', 'b', 'withheld'], withheld: 2 },
  ],
  derived: [{ dim: SECTOR, from: 'org', map: [0, 1, 1] }],
  withheld: [{ dim: 'src_ip', label: 'source address', reason: 'field-not-granted', ask: null, clause: null }],
  provenance: { policy_epoch: 41, watermark: '2026-11-06T03:00:00Z', made_at: '2026-11-06T03:00:00Z', good_until: null, agreements: 3, members: null },
}; // prettier-ignore

function release(meta: Json, change: Record<string, number[]> = {}, types: Record<string, DataType> = {}): Uint8Array {
  const columns = { t: [0, 0, 1], org: [0, 1, 2], w0: [5, 7, 70_000], ...change };
  const table = tableFromArrays(columns, { types: { t: uint8(), org: uint16(), w0: uint32(), ...types } });
  table.schema.metadata = new Map([['commonwatch', JSON.stringify(meta)]]);
  return tableToIPC(table, { format: 'stream' })!;
}

describe('a release', () => {
  test('is read into typed columns, with derived dims expanded', () => {
    const read = readRelease(release(META));
    expect(read.id).toBe('r1');
    expect(read.codes[1]).toBeInstanceOf(Uint16Array);
    expect([...read.codes[2]!]).toEqual([0, 1, 1]);
    expect(read.dims[0]!.edges).toHaveLength(3);
    expect(read.dims[1]!.withheld).toBe(2);
    expect(read.withheld[0]!.reason).toBe('field-not-granted');
    const cube = cubeOf(read, 'events');
    expect(cube.total()).toBe(70_012);
    expect([...cube.view(2)]).toEqual([5, 70_007]);
  });

  test('of a newer contract is refused with advice', () => {
    expect(() => readRelease(release({ ...META, contract: 2 }))).toThrow(/newer/);
  });

  test.each<[string, () => Uint8Array]>([
    ['no Arrow', () => new TextEncoder().encode('<html>')],
    ['no description', () => tableToIPC(tableFromArrays({ t: [1] }), { format: 'stream' })!],
    ['no measure', () => release({ ...META, measures: [] })],
    ['no time', () => release({ ...META, dims: (META['dims'] as Json[]).slice(1) })],
    ['a wrong n', () => release({ ...META, dims: [{ ...(META['dims'] as Json[])[0], n: 7 }] })],
    ['a code without a value', () => release(META, { org: [0, 1, 9] })],
    ['a missing column', () => release({ ...META, dims: [...(META['dims'] as Json[]), SECTOR] })],
    ['a dim derived from nothing', () => release({ ...META, derived: [{ dim: SECTOR, from: 'nobody', map: [0] }] })],
    ['a derived map that is too short', () => release({ ...META, derived: [{ dim: SECTOR, from: 'org', map: [0] }] })],
    [
      'edges that are no instants',
      () => release({ ...META, dims: [{ key: 't', kind: 'time', n: 1, edges: ['x', 'y'] }] }),
    ],
    ['an unknown basis', () => release({ ...META, kind: 'guess' })],
  ])('with %s is refused in words', (_, make) => {
    expect(() => readRelease(make())).toThrow(BadRelease);
  });
});
