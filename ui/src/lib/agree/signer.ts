/**
 * Who signs for my organisation: a key in this browser, a key from a file, or the hub with the key it was given.
 *
 * Rule held here: the text a person confirmed is compared with the text this page makes from the frozen bytes just
 * before they are signed; where they differ nothing is signed.
 */
import type { Api } from '../api.ts';
import { signPart, type Offer } from './hub.ts';
import { digest, readOffer, signOffer, type Signing } from './jws.ts';

export type Signer = { kind: 'here'; signing: Signing } | { kind: 'hub'; thumbprint: string };

export const thumbprintOf = (signer: Signer): string =>
  signer.kind === 'here' ? signer.signing.thumbprint : signer.thumbprint;

/** Signs an offer. Throws where its text is not the text of its bytes, or not the text that was read. */
export async function signAs(api: Api, offer: Offer, signer: Signer, read: string): Promise<Offer> {
  const frozen = await readOffer(offer.payload);
  const hash = await digest(new TextEncoder().encode(frozen.text));
  if (frozen.text !== read || hash !== offer.text_hash || frozen.hash !== offer.hash)
    throw new Error(
      'The text you read is not the text of what would be signed, so nothing was signed. Load this page again; if it stays so, tell whoever runs the hub.',
    );
  if (signer.kind === 'hub') return signPart(api, offer.hash, null);
  const envelope = await signOffer(offer.payload, signer.signing);
  return signPart(api, offer.hash, envelope.signatures?.[0] ?? null);
}

/** Hands a file to the person; the browser saves it where they say. */
export function save(name: string, text: string, type = 'application/json'): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
