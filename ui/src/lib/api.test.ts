import { describe, expect, test } from 'vitest';
import { Api, Problem, isHidden, problemOf } from './api.ts';

interface Call {
  url: string;
  init: RequestInit;
}

function hub(status: number, body: unknown): { api: Api; calls: Call[] } {
  const calls: Call[] = [];
  const api = new Api('https://hub.example/watch/', (url, init) => {
    calls.push({ url, init: init ?? {} });
    return Promise.resolve(new Response(status === 204 ? null : JSON.stringify(body), { status }));
  });
  return { api, calls };
}

describe('the client', () => {
  test('works behind a prefix and marks what changes state', async () => {
    const { api, calls } = hub(200, {});
    await api.switchPurpose('respond');
    await api.session();
    expect(calls.map((c) => c.url)).toEqual([
      'https://hub.example/watch/api/session/purpose',
      'https://hub.example/watch/api/session',
    ]);
    expect((calls[0]!.init.headers as Record<string, string>)['X-Commonwatch']).toBe('1');
    expect((calls[1]!.init.headers as Record<string, string>)['X-Commonwatch']).toBeUndefined();
  });

  test('a problem keeps what, where and what to do', async () => {
    const { api } = hub(400, {
      type: 'urn:commonwatch:problem:invalid-input',
      detail: 'No such dim.',
      where: 'filter.dims',
      todo: 'Remove it.',
    });
    const problem = await api.view().catch((e: unknown) => e as Problem);
    expect(problem).toMatchObject({
      status: 400,
      code: 'invalid-input',
      detail: 'No such dim.',
      where: 'filter.dims',
      todo: 'Remove it.',
    });
  });

  test('a page of a proxy is a problem too', async () => {
    const api = new Api('http://h/', () => Promise.resolve(new Response('<html>', { status: 502 })));
    expect(await api.view().catch((e: unknown) => (e as Problem).status)).toBe(502);
  });

  test('losing the session is told once to whoever listens, asking for it is not losing it', async () => {
    const { api } = hub(401, {});
    let told = 0;
    api.onSignedOut = () => (told += 1);
    await api.session().catch(() => undefined);
    expect(told).toBe(0);
    await api.view().catch(() => undefined);
    expect(told).toBe(1);
  });

  test('an abort is nobody’s failure, a dead network is', () => {
    expect(problemOf(new DOMException('stop', 'AbortError'))).toBeNull();
    expect(problemOf(new TypeError('fetch failed'))?.code).toBe('unreachable');
  });

  test('withheld cells are told from values', () => {
    expect(isHidden({ withheld: 'tlp' })).toBe(true);
    for (const cell of [null, '', 0, false, ['a']]) expect(isHidden(cell)).toBe(false);
  });
});
