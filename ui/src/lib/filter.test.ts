import { describe, expect, test } from 'vitest';
import {
  canonical,
  constrain,
  constraints,
  everything,
  fingerprint,
  fromQuery,
  pick,
  toQuery,
  windowOf,
  type Filter,
} from './filter.ts';

const HOSTILE = [
  'a,b', '100%', '%41', 'x&y=z', 'no!', '!', 'a..b', '..', 'naïve 🐍', 'שלום', '\u202Egnp', ' lead and trail ', '+1', 'a+b', '#hash',
  '?q', '/etc', 'x'.repeat(500), '', '~v', 'd.', 'null', '<b>"\'', '\n\t\u0000', '=', '==',
]; // prettier-ignore

function round(filter: Filter): Filter {
  const { filter: back, problems } = fromQuery(`?${toQuery(filter)}`);
  expect(problems).toEqual([]);
  return back;
}

describe('the address of a filter', () => {
  test('reads as written in the notes', () => {
    const filter: Filter = {
      ...everything(),
      measure: 'onsets',
      time: { from: '2026-11-06T00:00:00Z', to: '2026-11-19T00:00:00Z' },
      base: 'prev4w',
      dims: { severity: { not: ['info'] }, sector: { in: ['Retail', 'Legal'] }, family: { in: ['GrayWeasel'] } },
    };
    expect(toQuery(filter)).toBe(
      'm=onsets&t=2026-11-06T00:00Z..2026-11-19T00:00Z&b=prev4w&family=GrayWeasel&sector=Legal&sector=Retail&severity!=info',
    );
    expect(round(filter)).toEqual(canonical(filter));
  });

  test.each(HOSTILE)('keeps the value %j exactly, chosen and excluded', (value) => {
    for (const side of [{ in: [value, 'other'] }, { not: [value, 'other'] }] as const) {
      const filter = canonical({ ...everything(), dims: { dim: { ...side, ...{} } as never } });
      expect(round(filter)).toEqual(filter);
    }
  });

  test.each([...HOSTILE, 'm', 't', 'b', 'basis', 'net', 'alert', 'compare', '__proto__', 'constructor'])(
    'keeps a dim named %j exactly',
    (key) => {
      const dims = Object.fromEntries([[key, { in: ['v'] }]]);
      const filter = canonical({ ...everything(), dims });
      expect(Object.keys(round(filter).dims)).toEqual([key]);
      expect(toQuery(round(filter))).toBe(toQuery(filter));
    },
  );

  test('keeps two thousand values', () => {
    const values = Array.from({ length: 2000 }, (_, i) => `Organisation ${i}, Ltd. & Söhne`);
    const filter = canonical({ ...everything(), dims: { org: { in: values } } });
    expect(round(filter)).toEqual(filter);
  });

  test('is the same text for the same filter, whatever the order', () => {
    const a = { ...everything(), dims: { b: { in: ['2', '1', '1'] }, a: { not: ['x'] } } };
    const b = { ...everything(), dims: { a: { not: ['x'] }, b: { in: ['1', '2'] } } };
    expect(toQuery(a)).toBe(toQuery(b));
    expect(fingerprint(a)).toBe(fingerprint(b));
  });

  test('carries view state beside the filter, never inside', () => {
    const reading = fromQuery(toQuery(everything(), { sort: 'time', page: '2' }));
    expect(reading.view).toEqual({ sort: 'time', page: '2' });
    expect(reading.filter).toEqual(everything());
  });

  test.each([
    't=yesterday',
    't=2026-02-31..2026-03-01',
    't=2026-03-02..2026-03-01',
    'basis=none',
    'b=never',
    'family=%ZZ',
    'alone',
    '=x',
  ])('says what it cannot read: %s', (part) => {
    const { filter, problems } = fromQuery(`?${part}&sector=Legal`);
    expect(problems).toHaveLength(1);
    expect(filter).toEqual(canonical({ ...everything(), dims: { sector: { in: ['Legal'] } } }));
  });

  test('a contradiction is said and never becomes an empty list', () => {
    const { filter, problems } = fromQuery('?a=x&a!=x');
    expect(problems).toHaveLength(1);
    expect(filter.dims['a']).toEqual({ in: ['x'] });
  });

  test('all other parts of the filter survive', () => {
    const filter = canonical({
      ...everything(),
      basis: 'private',
      time: { last: '7d' },
      base: { from: '2026-01-01T00:00:05Z', to: '2026-01-02T00:00:00Z' },
      area: { net: '2001:db8::/32' },
      alert: 'alert/1 & 2',
      compare: true,
    });
    expect(round(filter)).toEqual(filter);
  });
});

describe('choosing values', () => {
  test('the first click selects only that value, the next adds, the last removal lifts the constraint', () => {
    let f = pick(everything(), 'family', 'a', 'toggle');
    expect(f.dims).toEqual({ family: { in: ['a'] } });
    f = pick(f, 'family', 'b', 'toggle');
    expect(f.dims).toEqual({ family: { in: ['a', 'b'] } });
    f = pick(pick(f, 'family', 'a', 'toggle'), 'family', 'b', 'toggle');
    expect(f.dims).toEqual({});
  });

  test('excluding and lifting', () => {
    let f = pick(everything(), 'family', 'a', 'exclude');
    expect(f.dims).toEqual({ family: { not: ['a'] } });
    f = pick(f, 'family', 'b', 'exclude');
    expect(f.dims).toEqual({ family: { not: ['a', 'b'] } });
    f = pick(f, 'family', 'a', 'toggle');
    expect(f.dims).toEqual({ family: { not: ['b'] } });
    expect(pick(f, 'family', 'b', 'exclude').dims).toEqual({});
  });

  test('an empty list removes the constraint', () => {
    expect(constrain(everything(), 'family', { in: [] }).dims).toEqual({});
  });

  test('constraints are counted', () => {
    expect(constraints({ ...everything(), time: { last: '1d' }, dims: { a: { in: ['x'] } } })).toBe(2);
  });

  test('a span counts back from the watermark', () => {
    expect(windowOf({ ...everything(), time: { last: '24h' } }, 1_000 * 86_400_000)).toEqual([
      999 * 86_400_000,
      1_000 * 86_400_000,
    ]);
    expect(windowOf(everything(), 0)).toBeNull();
  });
});
