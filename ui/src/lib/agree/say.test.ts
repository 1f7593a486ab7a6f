import { describe, expect, it } from 'vitest';
import { addClause, newClause, type Agreement, type Clause } from './document.ts';
import { hours, join, say, sayClause, segments } from './say.ts';
import told from './sentences.json';

const documents = told as unknown as { document: Agreement; text: string }[];

describe('what the browser says', () => {
  it('is byte for byte what the hub says, for documents that use every kind of phrase', () => {
    expect(documents.length).toBeGreaterThan(4);
    for (const { document, text } of documents) expect(say(document)).toBe(text);
  });

  it('does not depend on the order in which a person made their choices', () => {
    for (const { document, text } of documents) {
      const turned = document.clauses.map((clause): Clause => {
        if (clause.kind === 'limit') return clause;
        const rows = { ...clause.rows, events: [...clause.rows.events].reverse() };
        return { ...clause, purposes: [...clause.purposes].reverse(), rows };
      });
      expect(say({ ...document, clauses: turned })).toBe(text);
    }
  });

  it('has a sentence for every clause as it is begun, and says what is missing', () => {
    for (const kind of ['share', 'count', 'limit'] as const)
      expect(sayClause(newClause(kind, []))).toMatch(/^\[[a-z]+\] (Share|For) .+\.$/);
    expect(sayClause(newClause('share', []))).toContain('with nobody for detecting threats');
    const bare = { ...newClause('share', []), fields: {}, purposes: [] } as Clause;
    expect(sayClause(bare)).toContain('for no purpose: nothing.');
  });
});

describe('segments', () => {
  it('joined are the sentence, and each changeable part stands in one of them', () => {
    for (const clause of documents.flatMap((d) => d.document.clauses)) {
      const parts = segments(clause);
      expect(`[${clause.id}] ${parts.map((p) => p.text).join('')}`).toBe(sayClause(clause));
      const slots = parts.flatMap((p) => p.slot ?? []);
      expect(new Set(slots).size).toBe(slots.length);
      if (clause.kind !== 'limit')
        for (const slot of ['events', 'tlp', 'to', 'purposes']) expect(slots).toContain(slot);
    }
  });

  it('offer no part that is not said', () => {
    const clause = newClause('share', []);
    expect(segments(clause).some((p) => p.slot === 'severity')).toBe(false);
  });
});

describe('small words', () => {
  it('join like people do', () => {
    expect(['', 'a', 'a and b', 'a, b and c']).toEqual(
      [[], ['a'], ['a', 'b'], ['a', 'b', 'c']].map((l) => join(l, 'and')),
    );
  });

  it('say whole days as days', () => {
    expect([1, 24, 36, 2160].map(hours)).toEqual(['1 hour', '1 day', '36 hours', '90 days']);
  });

  it('say a clause that was added like any other', () => {
    const first = documents[0]!.document;
    const more = addClause(first, newClause('limit', first.clauses));
    expect(say(more)).toContain('[ceiling] For all events, never show anyone more than: user name withheld.');
  });
});
