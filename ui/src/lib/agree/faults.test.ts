import { describe, expect, it } from 'vitest';
import { clauseOf, lineOf, slotOf } from './faults.ts';

const YAML = `dsa: '1'
id: maple-shield
clauses:
- kind: share
  id: warn
  rows:
    events:
    - malware
    tlp: green
  fields:
    time: minute
    src_ip: hour
- kind: limit
  id: people
  fields:
    user: pseudonym
duties:
  actions: internal
`;

describe('a fault', () => {
  it('is put at its clause and at the part of the sentence', () => {
    expect(clauseOf('$.clauses[3].rows.tlp')).toBe(3);
    expect(clauseOf('$.ends')).toBe(-1);
    const paths = ['rows.from_tlp', 'fields.src_ip', 'to.organisations', 'rows.until', 'noise.epsilon', 'id'];
    expect(paths.map((p) => slotOf(`$.clauses[0].${p}`))).toEqual(['tlp', 'fields', 'to', 'ages', 'group', null]);
  });

  it('is put at its line of the text', () => {
    expect(lineOf(YAML, '$.clauses[0].fields.src_ip')).toBe(12);
    expect(lineOf(YAML, '$.clauses[1].fields.user')).toBe(16);
    expect(lineOf(YAML, '$.clauses[0].rows.tlp')).toBe(9);
    expect(lineOf(YAML, '$.duties.actions')).toBe(18);
    expect(lineOf(YAML, 'line 7 column 2')).toBe(7);
    expect(lineOf(YAML, '$.nothing')).toBe(1);
    expect(lineOf(JSON.stringify({ dsa: '1', clauses: [{ id: 'a' }] }, null, 2), '$.clauses[0].id')).toBe(5);
  });
});
