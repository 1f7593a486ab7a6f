import { describe, expect, it } from 'vitest';
import { check, fromSearch, matches, saidIn, sayFields, toSearch, type Access, type Proven } from './seen.ts';
import given from './seen.proof.json';

const proven = given as unknown as Proven;
const changed = (change: (copy: Proven) => void): Proven => {
  const copy = structuredClone(proven);
  change(copy);
  return copy;
};
const failing = async (p: Proven): Promise<number[]> =>
  (await check(p)).flatMap((step, i) => (step.held === false ? [i] : []));

describe('proofs made by the hub', () => {
  it('hold as they are', async () => {
    expect(await failing(proven)).toEqual([]);
    expect(saidIn(proven.proof)).toMatchObject({ owner: 'dune', reader: 'birch', count: 4 });
  });

  it('fail at the very step that was changed', async () => {
    const text = changed((p) => (p.proof.access.text = p.proof.access.text.replace('"count":4', '"count":5')));
    expect(await failing(text)).toEqual([0]);
    expect(await failing(changed((p) => (p.proof.access.place ^= 1)))).toEqual([0]);
    expect(await failing(changed((p) => (p.proof.entry += 1)))).toEqual([1]);
    expect(await failing(changed((p) => p.proof.path.pop()))).toEqual([1]);
    const data = changed((p) => (p.proof.data = p.proof.data.replace('"actor":"hub"', '"actor":"hug"')));
    expect(await failing(data)).toEqual([1]);
    const [head] = (await failing(changed((p) => (p.checkpoint.time += 1)))).slice(-1);
    expect([2, undefined]).toContain(head); // undefined: this runtime knows no Ed25519 and says so
  });
});

describe('looks', () => {
  it('go through the address bar unchanged', () => {
    const wanted = { since: '7d', reader: 'birch', agreement: '', surface: 'rows' };
    expect(fromSearch(toSearch(wanted))).toEqual(wanted);
    expect(toSearch(fromSearch(''))).toBe('');
  });

  it('take a live access only where it belongs', () => {
    const access = { reader: 'birch', surface: 'rows', clauses: ['alder-service@2#operate'] } as unknown as Access;
    const all = { since: '', reader: '', agreement: '', surface: '' };
    expect(matches(access, all)).toBe(true);
    expect(matches(access, { ...all, agreement: 'alder-service' })).toBe(true);
    expect(matches(access, { ...all, agreement: 'alder' })).toBe(false);
    expect(matches(access, { ...all, reader: 'cedar' })).toBe(false);
    expect(matches(access, { ...all, surface: 'taxii' })).toBe(false);
  });

  it('say fields in the words of agreements', () => {
    expect(sayFields({ time: 'hour', src_ip: 'network', owner: 'exact', severity: 'exact' })).toBe(
      'time to the hour; source address as its network; contributor, severity exactly',
    );
  });
});
