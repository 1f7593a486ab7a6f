/**
 * Signing in the browser: Ed25519 keys, canonical JSON (RFC 8785), JWS signatures in the form the hub checks.
 *
 * Rules held here: the private half of a key is never sent; what is signed are the very bytes the hub froze, and only
 * after this page itself made the text people read from them (`readOffer`); equal input gives equal bytes to what the
 * command line signs (`signed.json` tests it).
 */
import { isAgreement, isCharter, type Document } from './document.ts';
import { say } from './say.ts';
import { GRAMMAR } from './words.ts';

const ALGORITHM = 'Ed25519';

export interface PrivateJwk {
  kty: string;
  crv: string;
  x: string;
  d: string;
}
export interface Signature {
  protected: string;
  signature: string;
}
export interface Envelope {
  payload: string;
  signatures?: Signature[];
  keys?: string[];
}
/** A key that can sign: the handle of its private half, its public half (base64url) and its name. */
export interface Signing {
  key: CryptoKey;
  x: string;
  thumbprint: string;
}

const encoder = new TextEncoder();

export function b64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

export function unb64(text: string): Uint8Array<ArrayBuffer> {
  const plain = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
}

/** RFC 8785: keys sorted by UTF-16 code units, numbers and text as JavaScript writes them. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value).filter(([, part]) => part !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, part]) => `${JSON.stringify(key)}:${canonical(part)}`).join(',')}}`;
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
}

/** SHA-256 in hexadecimal. */
export async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return [...(await sha256(bytes))].map((b) => b.toString(16).padStart(2, '0')).join('');
}

/** RFC 7638 thumbprint of a public key given as base64url. */
export async function thumbprint(x: string): Promise<string> {
  return b64(await sha256(encoder.encode(canonical({ crv: ALGORITHM, kty: 'OKP', x }))));
}

/** Whether this browser can make and use the keys agreements are signed with. */
export async function canSign(): Promise<boolean> {
  try {
    await crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']);
    return true;
  } catch {
    return false;
  }
}

/** A new random key as a JWK: to be saved by the person, then held. */
export async function makeKey(): Promise<PrivateJwk> {
  const pair = (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as CryptoKeyPair;
  const { kty, crv, x, d } = await crypto.subtle.exportKey('jwk', pair.privateKey);
  return { crv: crv ?? '', d: d ?? '', kty: kty ?? '', x: x ?? '' };
}

/** A key for signing; the handle does not give the private half away again. Throws where the text is no such key. */
export async function holdKey(jwk: PrivateJwk): Promise<Signing> {
  if (jwk.kty !== 'OKP' || jwk.crv !== ALGORITHM || !jwk.d || !jwk.x)
    throw new Error('This is not a signing key: it should be the file that was saved when the key was made.');
  const { crv, d, kty, x } = jwk;
  const key = await crypto.subtle.importKey('jwk', { crv, d, kty, x }, ALGORITHM, false, ['sign']);
  return { key, x, thumbprint: await thumbprint(x) };
}

/** One signature over a payload given as base64url; `more` are further members of the protected header. */
export async function sign(
  payload: string,
  typ: string,
  by: Signing,
  more: Record<string, string> = {},
): Promise<Signature> {
  const header = canonical({ alg: ALGORITHM, kid: by.thumbprint, typ, ...more });
  const made = b64(encoder.encode(header));
  const bytes = await crypto.subtle.sign(ALGORITHM, by.key, encoder.encode(`${made}.${payload}`));
  return { protected: made, signature: b64(new Uint8Array(bytes)) };
}

export interface Offer {
  document: Document;
  /** The English text this page made from the frozen bytes. */
  text: string;
  /** SHA-256 of the frozen bytes: the name of this version. */
  hash: string;
}

/** What frozen bytes say, read by this page itself. */
export async function readOffer(payload: string): Promise<Offer> {
  const bytes = unb64(payload);
  const document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Document;
  return { document, text: say(document), hash: await digest(bytes) };
}

/** What a signature of a document says it signs. */
function typeOf(document: Document): string {
  if (isAgreement(document)) return 'dsa+json';
  return isCharter(document) ? 'dsa-charter+json' : 'dsa-community-charter+json';
}

/** Signs a frozen document and the text this page showed for it. */
export async function signOffer(payload: string, by: Signing): Promise<Envelope> {
  const offer = await readOffer(payload);
  const text = await digest(encoder.encode(offer.text));
  return {
    payload,
    signatures: [await sign(payload, typeOf(offer.document), by, { grammar: GRAMMAR, text })],
    keys: [by.x],
  };
}

export interface Statement {
  kind: 'revoke' | 'suspend' | 'resume' | 'accept-duties' | 'key-change' | 'decline';
  id: string;
  by: string;
  at: number;
  version?: number;
  hash?: string;
  key?: string;
  reason?: string;
}

/** A small signed sentence about an agreement, in the hub's form. */
export async function signStatement(statement: Statement, by: Signing): Promise<Envelope> {
  const payload = b64(encoder.encode(canonical(statement)));
  return { payload, signatures: [await sign(payload, 'dsa-statement+json', by)], keys: [by.x] };
}
