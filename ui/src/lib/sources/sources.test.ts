import { expect, test } from 'vitest';
import { Api } from '../api.ts';
import { BLANK, add, change, formOf, often, refusals, standing, type Source } from './sources.ts';

const SOURCE: Source = {
  name: 'isac/1',
  kind: 'taxii',
  address: 'https://taxii.example/c/',
  tlp: 'green',
  weight: 50,
  every: 3_600,
  life: 0,
  community: false,
  paused: false,
  known: true,
  values: 7,
  last_ok: '2026-11-25T04:00:00Z',
  next_at: '2026-11-25T05:00:00Z',
  failures: 0,
  error: '',
  refused: {},
};

function listening(): { api: Api; sent: { path: string; method: string; body: Record<string, unknown> }[] } {
  const sent: { path: string; method: string; body: Record<string, unknown> }[] = [];
  const api = new Api('http://hub.example/', (url, init) => {
    const body = JSON.parse(init?.body as string) as Record<string, unknown>;
    sent.push({ path: new URL(url).pathname, method: init?.method ?? '', body });
    return Promise.resolve(new Response('{}', { status: 200 }));
  });
  return { api, sent };
}

test('a change sends what differs, under the name as it is, and no credentials unless they are set', async () => {
  const { api, sent } = listening();
  await change(api, SOURCE, { ...formOf(SOURCE), weight: 80 });
  await change(api, SOURCE, { ...formOf(SOURCE), auth: 'bearer', secret: 's' });
  expect(sent.map((s) => s.body)).toEqual([{ weight: 80 }, { auth: 'bearer', user: '', secret: 's' }]);
  expect(sent[0]?.path).toBe('/api/intelligence/sources/isac%2F1');
  expect(sent[0]?.method).toBe('PATCH');
});

test('a new source is sent without blanks around its name and address', async () => {
  const { api, sent } = listening();
  await add(api, { ...BLANK, name: ' osint ', address: ' https://x.example/ ' });
  expect(sent[0]?.body).toMatchObject({ name: 'osint', address: 'https://x.example/', tlp: 'red' });
});

test('the state of a source is one word and a tone', () => {
  expect(standing(SOURCE)).toEqual({ word: 'well', tone: 'ok' });
  expect(standing({ ...SOURCE, paused: true, error: 'x' }).word).toBe('paused');
  expect(standing({ ...SOURCE, error: 'x', failures: 3 })).toEqual({ word: 'failed 3 times', tone: 'bad' });
  expect(standing({ ...SOURCE, last_ok: '' }).word).toBe('not asked yet');
  expect(standing({ ...SOURCE, kind: 'upload', last_ok: '' }).word).toBe('given by hand');
});

test('how often and what was not taken are said in words', () => {
  expect(often(3_600)).toBe('every hour');
  expect(often(7_200)).toBe('every 7,200 seconds');
  expect(refusals({ network: 2, not_a_value: 10 })).toBe('12 not taken: 10 not a value, 2 network');
  expect(refusals({})).toBe('');
});
