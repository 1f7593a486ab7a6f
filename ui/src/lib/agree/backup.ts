/**
 * The file in which a signing key is kept: locked with a passphrase, or plain.
 *
 * Rules held here: a locked file is a standard container, a JWE (RFC 7516, flattened JSON) around the key as a JWK, as
 * RFC 7517 section 7 says, so that other programs open it too; the passphrase is stretched by PBKDF2 with HMAC-SHA-512
 * (RFC 7518 section 4.8); a file cannot make this page compute without end; a wrong passphrase and a damaged file are
 * told apart as far as they can be, and neither gives a key.
 */
import { b64, canonical, holdKey, unb64, type PrivateJwk, type Signing } from './jws.ts';

const ALGORITHM = 'PBES2-HS512+A256KW';
const CIPHER = 'A256GCM';
/** Rounds of PBKDF2: at least what OWASP asks of HMAC-SHA-512 (210,000); a file that asks for more than the most is refused. */
const ROUNDS = 300_000;
const MOST_ROUNDS = 5_000_000;
/** The fewest characters of a passphrase. */
export const SHORTEST = 12;

interface Locked {
  protected: string;
  encrypted_key: string;
  iv: string;
  ciphertext: string;
  tag: string;
}

const encoder = new TextEncoder();
const TAG = 16;

function joined(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** The key that wraps, from a passphrase as it is typed anywhere (Unicode NFC). */
async function stretch(passphrase: string, salt: Uint8Array, rounds: number): Promise<CryptoKey> {
  const typed = await crypto.subtle.importKey('raw', encoder.encode(passphrase.normalize('NFC')), 'PBKDF2', false, [
    'deriveKey',
  ]);
  const how = {
    name: 'PBKDF2',
    hash: 'SHA-512',
    salt: joined(encoder.encode(ALGORITHM), new Uint8Array(1), salt),
    iterations: rounds,
  };
  return crypto.subtle.deriveKey(how, typed, { name: 'AES-KW', length: 256 }, false, ['wrapKey', 'unwrapKey']);
}

/** What is wrong with a passphrase for a new file; empty where nothing is. */
export function faultOf(passphrase: string, again: string): string {
  if (passphrase.length < SHORTEST)
    return `The passphrase needs at least ${SHORTEST} characters; four or five words are good.`;
  return passphrase === again ? '' : 'The two passphrases are not the same.';
}

/** The text of a file that only the passphrase opens. */
export async function lock(jwk: PrivateJwk, passphrase: string): Promise<string> {
  const [salt, iv] = [crypto.getRandomValues(new Uint8Array(16)), crypto.getRandomValues(new Uint8Array(12))];
  const { thumbprint } = await holdKey(jwk);
  const header = b64(
    encoder.encode(
      canonical({ alg: ALGORITHM, cty: 'jwk+json', enc: CIPHER, kid: thumbprint, p2c: ROUNDS, p2s: b64(salt) }),
    ),
  );
  const inner = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt']);
  const wrapped = await crypto.subtle.wrapKey('raw', inner, await stretch(passphrase, salt, ROUNDS), 'AES-KW');
  const { crv, d, kty, x } = jwk;
  const how = { name: 'AES-GCM', iv, additionalData: encoder.encode(header) };
  const sealed = new Uint8Array(await crypto.subtle.encrypt(how, inner, encoder.encode(canonical({ crv, d, kty, x }))));
  const made: Locked = {
    protected: header,
    encrypted_key: b64(new Uint8Array(wrapped)),
    iv: b64(iv),
    ciphertext: b64(sealed.slice(0, -TAG)),
    tag: b64(sealed.slice(-TAG)),
  };
  return `${JSON.stringify(made, null, 2)}\n`;
}

/** Whether the text of a file is a key behind a passphrase. */
export function isLocked(text: string): boolean {
  try {
    const found = JSON.parse(text) as Partial<Locked>;
    return Boolean(found.protected && found.ciphertext);
  } catch {
    return false;
  }
}

/** The key of a locked file. Throws, in words for a person, where the passphrase is not its own or the file is none. */
export async function unlock(text: string, passphrase: string): Promise<PrivateJwk> {
  const { file, salt, rounds } = opened(text);
  const wrapping = await stretch(passphrase, salt, rounds);
  const inner = await crypto.subtle
    .unwrapKey('raw', unb64(file.encrypted_key), wrapping, 'AES-KW', 'AES-GCM', false, ['decrypt'])
    .catch(() => {
      throw new Error('This passphrase does not open the file. Mind capital letters and the keyboard’s language.');
    });
  const how = { name: 'AES-GCM', iv: unb64(file.iv), additionalData: encoder.encode(file.protected) };
  const plain = await crypto.subtle.decrypt(how, inner, joined(unb64(file.ciphertext), unb64(file.tag))).catch(() => {
    throw new Error('The passphrase is right, but the file was damaged or changed. Use another copy of it.');
  });
  return JSON.parse(new TextDecoder().decode(plain)) as PrivateJwk;
}

/** The parts of a locked file that this page is ready to compute with. */
function opened(text: string): { file: Locked; salt: Uint8Array; rounds: number } {
  try {
    const file = JSON.parse(text) as Locked;
    const header = JSON.parse(new TextDecoder().decode(unb64(file.protected))) as Record<string, unknown>;
    const rounds = Number(header['p2c']);
    const known = header['alg'] === ALGORITHM && header['enc'] === CIPHER;
    if (known && Number.isInteger(rounds) && rounds >= 1_000 && rounds <= MOST_ROUNDS)
      return { file, salt: unb64(String(header['p2s'])), rounds };
  } catch {
    // Said below, like every other file that is none.
  }
  throw new Error('This is not a key file that can be opened here: it should be the one saved when the key was made.');
}

/** The key in the text of a plain file: the key itself, or an object that has it under `key`. */
export function plainKey(text: string): PrivateJwk {
  const found = JSON.parse(text) as PrivateJwk & { key?: PrivateJwk };
  return found.key ?? found;
}

/** A key that can sign, from a file; `passphrase` opens a locked one. */
export async function keyIn(text: string, passphrase = ''): Promise<Signing> {
  if (isLocked(text)) return holdKey(await unlock(text, passphrase));
  let jwk: PrivateJwk;
  try {
    jwk = plainKey(text);
  } catch {
    throw new Error('This file is not a signing key: it should be the one that was saved when the key was made.');
  }
  return holdKey(jwk);
}
