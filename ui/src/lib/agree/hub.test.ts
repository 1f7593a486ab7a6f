import { describe, expect, it } from 'vitest';
import { BLANK_KEY, newClause, type Agreement } from './document.ts';
import { readersAt, refOf, toMend, withoutBlanks, type Checked, type TemplateWhole } from './hub.ts';

const share = { ...newClause('share', []), to: { communities: ['the-community'] } };
const count = { ...newClause('count', []), to: { communities: ['the-community'], roles: ['isp'] } };
const care = { ...newClause('share', []), to: { organisations: ['the-operator', 'oak-law'] } };
const template = {
  document: {
    clauses: [
      { level: 1, clause: count },
      { level: 2, clause: share },
      { level: 3, clause: care },
      { level: 9, clause: newClause('limit', []) },
    ],
  },
} as unknown as TemplateWhole;

describe('who sees something at a level', () => {
  it('grows with the level and says where it is figures only', () => {
    expect(readersAt(template, 0)).toEqual([]);
    expect(readersAt(template, 1)).toEqual(['your community (figures only)', 'internet providers (figures only)']);
    expect(readersAt(template, 2)).toEqual(['internet providers (figures only)', 'your community']);
    expect(readersAt(template, 3)).toContain('your security provider');
    expect(readersAt(template, 3)).toContain('oak-law');
  });
});

describe('a draft', () => {
  it('keeps no blank that stands for a key', () => {
    const parties = [
      { id: 'a', role: 'owner', key: BLANK_KEY },
      { id: 'b', role: 'operator', key: 'B'.repeat(43) },
    ];
    const made = withoutBlanks({ dsa: '1', parties, clauses: [] } as unknown as Agreement);
    expect(made.parties).toEqual([{ id: 'a', role: 'owner' }, parties[1]]);
  });

  it('has nothing to mend where only a key is missing', () => {
    const fault = (path: string): Checked['problems'][number] => ({ path, message: 'm' });
    const checked = { problems: [fault('$.parties[0].key'), fault('$.ends')] } as unknown as Checked;
    expect(toMend(checked).map((p) => p.path)).toEqual(['$.ends']);
    expect(toMend(null)).toEqual([]);
  });
});

describe('a clause that an answer rests on', () => {
  it('is read as text and as parts', () => {
    const parts = { agreement: 'a', version: '2', clause: 'c' };
    expect(refOf('a@2#c')).toEqual(parts);
    expect(refOf({ agreement: 'a', version: 2, clause: 'c' })).toEqual(parts);
  });
});
