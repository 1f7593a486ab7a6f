/** The signing keys of my organisation: those the hub knows, and those this browser holds. */
import type { OrgKey } from '../lib/agree/hub.ts';
import type { Signing } from '../lib/agree/jws.ts';
import { heldBy, type Held } from '../lib/agree/keystore.ts';
import { app } from './app.svelte.ts';

class Keyring {
  registered = $state.raw<OrgKey[]>([]);
  here = $state.raw<Held[]>([]);
  loaded = $state(false);

  /** Whether a key of ours counts now. */
  current(thumbprint: string): boolean {
    return this.registered.some((k) => k.thumbprint === thumbprint && !k.ended);
  }

  async read(): Promise<void> {
    const org = app.session?.org.org ?? '';
    this.registered = await app.api.json<OrgKey[]>('GET', 'api/keys').catch(() => []);
    this.here = await heldBy(org);
    this.loaded = true;
  }

  /** Makes the public half of a new key known to the hub. */
  async register(org: string, signing: Signing): Promise<void> {
    await app.api.json('POST', 'api/keys', { org, public: signing.x });
  }
}

export const keyring = new Keyring();
