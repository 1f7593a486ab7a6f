import { describe, expect, it } from 'vitest';
import {
  addClause,
  amended,
  freeId,
  moveClause,
  newClause,
  normalClause,
  organisationsOf,
  removeClause,
  setClause,
  setDuty,
  setLevel,
  setRows,
  toggle,
  type Agreement,
  type Count,
  type Limit,
  type Share,
} from './document.ts';
import told from './sentences.json';
import { exampleOf, FIELD_NAMES, GROUPS, pointsOf } from './words.ts';

const documents = (told as unknown as { document: Agreement }[]).map((d) => d.document);
const first = documents[0]!;

describe('a clause in its one form', () => {
  it('is what the hub itself wrote: nothing is added, dropped or moved', () => {
    for (const clause of documents.flatMap((d) => d.clauses)) expect(normalClause(clause)).toEqual(clause);
  });

  it('leaves defaults out and orders sets', () => {
    const count: Count = {
      ...(newClause('count', []) as Count),
      contributors: 5,
      measures: ['onsets'],
      purposes: ['research', 'detect'],
      rows: { events: ['dns', 'malware'], tlp: 'green', after: 0, sites: [] },
    };
    const made = normalClause(count) as Count;
    expect(made).not.toHaveProperty('contributors');
    expect(made).not.toHaveProperty('measures');
    expect(made.purposes).toEqual(['detect', 'research']);
    expect(made.rows).toEqual({ events: ['malware', 'dns'], tlp: 'green' });
    expect(normalClause({ kind: 'limit', id: 'l', on: 'both', rows: {}, outside: {} })).toEqual({
      kind: 'limit',
      id: 'l',
    });
  });
});

describe('changes', () => {
  it('leave the document they were given as it was', () => {
    const before = structuredClone(first);
    setClause(first, 0, newClause('limit', first.clauses));
    removeClause(first, 0);
    moveClause(first, 0, 1);
    addClause(first, newClause('share', first.clauses));
    setRows(first.clauses[0]!, { severity: 'high' });
    setLevel(first.clauses[0] as Share, 'time', 'day');
    expect(first).toEqual(before);
  });

  it('set and take out levels and conditions', () => {
    const share = newClause('share', []) as Share;
    expect(setLevel(share, 'src_ip', 'network').fields['src_ip']).toBe('network');
    expect(setLevel(share, 'time', null).fields).not.toHaveProperty('time');
    expect(setRows(setRows(share, { severity: 'high' }), { severity: '' }).rows).not.toHaveProperty('severity');
    const limit = setRows(newClause('limit', []) as Limit, { from_tlp: 'amber' });
    expect(limit.rows).toEqual({ from_tlp: 'amber' });
  });

  it('move, toggle and amend', () => {
    expect(
      moveClause(first, 0, 1)
        .clauses.map((c) => c.id)
        .slice(0, 2),
    ).toEqual(['c1', 'c0']);
    expect(toggle(toggle(undefined, 'a'), 'a')).toEqual([]);
    expect(amended(first, 'f'.repeat(64))).toMatchObject({ version: first.version + 1, previous: 'f'.repeat(64) });
  });

  it('name new clauses by names that are free and no words of the grammar', () => {
    expect(freeId([{ id: 'warn' }, { id: 'warn-2' }], 'Warn!')).toBe('warn-3');
    expect(freeId([], 'all')).toBe('clause-all');
    expect(freeId([], '!')).toBe('clause-1');
  });

  it('keep duties that differ from the strictest and no others', () => {
    expect(setDuty({}, 'onward', 'tlp')).toEqual({ onward: 'tlp' });
    expect(setDuty({ onward: 'tlp' }, 'onward', 'none')).toEqual({});
    expect(setDuty({}, 'notify_owner_on_access', 'daily')).toEqual({ notify_owner_on_access: 'daily' });
    expect(setDuty({ notify_owner_on_access: 'daily' }, 'notify_owner_on_access', 'each')).toEqual({});
    expect(setDuty({ delete_after_days: 30 }, 'delete_after_days', undefined)).toEqual({});
  });

  it('know whom a document names', () => {
    const clause = { ...newClause('share', []), to: { organisations: ['oak-law'] } } as Share;
    expect(organisationsOf({ ...first, clauses: [clause] })).toEqual(['maple-dental', 'harbour-mss', 'oak-law']);
  });
});

describe('what a person is offered', () => {
  it('puts every field into exactly one group', () => {
    expect(GROUPS.flatMap((g) => g.fields).sort()).toEqual([...FIELD_NAMES].sort());
  });

  it('has an example for every level of every field', () => {
    for (const field of FIELD_NAMES)
      for (const point of pointsOf(field)) expect(Boolean(exampleOf(field, point))).toBe(point !== 'withheld');
    expect(exampleOf('src_ip', 'network')).toBe('203.0.113.0/24');
  });
});
