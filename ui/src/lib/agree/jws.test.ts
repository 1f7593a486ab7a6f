import { describe, expect, it } from 'vitest';
import {
  canonical,
  canSign,
  digest,
  holdKey,
  makeKey,
  readOffer,
  signOffer,
  signStatement,
  unb64,
  type Statement,
} from './jws.ts';
import { say } from './say.ts';
import told from './signed.json';

const agreement = told.envelopes[0]!;

describe('signing in the browser', () => {
  it('gives the very bytes the command line gives, for agreements, charters and charters of communities', async () => {
    const key = await holdKey(told.key);
    expect(key.thumbprint).toBe(told.thumbprint);
    expect(told.envelopes).toHaveLength(3);
    for (const envelope of told.envelopes) expect(await signOffer(envelope.payload, key)).toEqual(envelope);
    expect(await signStatement(told.statement as Statement, key)).toEqual(told.stated);
  });

  it('reads the frozen bytes itself before it signs them', async () => {
    const offer = await readOffer(agreement.payload);
    expect(offer.text).toBe(say(offer.document));
    expect(offer.hash).toBe(told.statement.hash);
    expect(offer.hash).toBe(await digest(unb64(agreement.payload)));
  });

  it('signs what others can verify, and nothing else', async () => {
    const jwk = await makeKey();
    const made = await signOffer(agreement.payload, await holdKey(jwk));
    const open = await crypto.subtle.importKey('jwk', { kty: 'OKP', crv: 'Ed25519', x: jwk.x }, 'Ed25519', true, [
      'verify',
    ]);
    const [signature] = made.signatures!;
    const check = (payload: string): Promise<boolean> =>
      crypto.subtle.verify(
        'Ed25519',
        open,
        unb64(signature!.signature),
        new TextEncoder().encode(`${signature!.protected}.${payload}`),
      );
    expect(await check(agreement.payload)).toBe(true);
    expect(await check(told.stated.payload)).toBe(false);
  });

  it('holds keys that cannot be read out again, and refuses what is none', async () => {
    expect(await canSign()).toBe(true);
    const key = await holdKey(await makeKey());
    expect(key.key.extractable).toBe(false);
    await expect(holdKey({ kty: 'RSA', crv: '', x: 'a', d: 'b' })).rejects.toThrow('not a signing key');
  });
});

describe('canonical JSON', () => {
  it('sorts keys, drops what is undefined, and writes numbers and text as the standard says', () => {
    expect(canonical({ b: [1, 2.5, 'ü"\n'], a: { z: null, y: true, x: undefined } })).toBe(
      '{"a":{"y":true,"z":null},"b":[1,2.5,"ü\\"\\n"]}',
    );
  });
});
