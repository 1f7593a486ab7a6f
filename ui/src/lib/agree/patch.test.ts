import { describe, expect, it } from 'vitest';
import { applied, type Patch } from './patch.ts';

const BEFORE = { id: 'a', clauses: [{ id: 'one', fields: { 'a/b': 1 } }, { id: 'two' }] };
const patch = (op: Patch['op'], path: string, value?: unknown): Patch => ({ target: 'a', op, path, value });

describe('a suggestion', () => {
  it('is applied to a copy', () => {
    const made = applied(BEFORE, [
      patch('replace', '/clauses/0/fields/a~1b', 2),
      patch('remove', '/clauses/1'),
      patch('add', '/clauses/-', { id: 'three' }),
      patch('add', '/title', 'T'),
    ]);
    expect(made).toEqual({ id: 'a', title: 'T', clauses: [{ id: 'one', fields: { 'a/b': 2 } }, { id: 'three' }] });
    expect(BEFORE.clauses).toHaveLength(2);
  });

  it('that does not fit any more changes nothing', () => {
    expect(applied(BEFORE, [patch('remove', '/clauses/7')])).toBeNull();
    expect(applied(BEFORE, [patch('replace', '/clauses/0/gone', 1)])).toBeNull();
    expect(applied(BEFORE, [patch('add', '/nowhere/deep', 1)])).toBeNull();
  });
});
