import { describe, expect, it } from 'vitest';
import { faultOf, isLocked, keyIn, lock, unlock } from './backup.ts';
import { holdKey, makeKey, signOffer } from './jws.ts';
import locked from './locked.json';
import told from './signed.json';

const PHRASE = 'maple syrup über alles 7';

describe('a key in a locked file', () => {
  it('comes back on another browser, and signs what it signed before', async () => {
    const jwk = await makeKey();
    const text = await lock(jwk, PHRASE);
    expect(isLocked(text)).toBe(true);
    expect(text).not.toContain(jwk.d);
    const [payload, again] = [told.envelopes[0]!.payload, await keyIn(text, PHRASE)];
    expect(await signOffer(payload, again)).toEqual(await signOffer(payload, await holdKey(jwk)));
    expect(again.key.extractable).toBe(false);
  });

  it('opens with the passphrase however it was typed, and with no other', async () => {
    const text = await lock(told.key, PHRASE);
    expect(await unlock(text, PHRASE.normalize('NFD'))).toEqual(told.key);
    await expect(unlock(text, PHRASE.toUpperCase())).rejects.toThrow('does not open the file');
    await expect(keyIn(text)).rejects.toThrow('does not open the file');
  });

  it('is another file each time, under the name of the key', async () => {
    const [one, two] = await Promise.all([lock(told.key, PHRASE), lock(told.key, PHRASE)]);
    expect(one).not.toBe(two);
    const header = JSON.parse(atob((JSON.parse(one) as { protected: string }).protected)) as { kid: string };
    expect(header.kid).toBe(told.thumbprint);
  });

  it('is a standard container: one made by another program opens here', async () => {
    expect(await unlock(JSON.stringify(locked.file), locked.passphrase)).toEqual(told.key);
  });

  it('says when it was changed, and does not compute without end', async () => {
    const file = JSON.parse(await lock(told.key, PHRASE)) as Record<string, string>;
    const changed = { ...file, tag: file['iv'] + 'AAAAAA' };
    await expect(unlock(JSON.stringify(changed), PHRASE)).rejects.toThrow('damaged or changed');
    const header = JSON.parse(atob(file['protected']!)) as Record<string, unknown>;
    const endless = { ...file, protected: btoa(JSON.stringify({ ...header, p2c: 2_000_000_000 })) };
    await expect(unlock(JSON.stringify(endless), PHRASE)).rejects.toThrow('not a key file');
    await expect(keyIn('no key at all')).rejects.toThrow('not a signing key');
  });

  it('wants a passphrase that is long, and typed twice alike', () => {
    expect(faultOf('short', 'short')).toContain('at least 12');
    expect(faultOf(PHRASE, `${PHRASE}8`)).toContain('not the same');
    expect(faultOf(PHRASE, PHRASE)).toBe('');
  });
});
