/** The signing keys of my organisation: those the hub knows, and those this browser holds. */
import type { OrgKey } from '../lib/agree/hub.ts';
import { signStatement, type Signing } from '../lib/agree/jws.ts';
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

  /** Our key in force; a new one is introduced by it. */
  get inForce(): OrgKey | null {
    return this.registered.find((k) => !k.ended) ?? null;
  }

  /** Whether a new key can be registered from here: no key yet, one the hub holds, or one this browser holds. */
  get canReplace(): boolean {
    const now = this.inForce;
    return !now || now.held || this.here.some((k) => k.thumbprint === now.thumbprint);
  }

  /** Makes the public half of a new key known to the hub, introduced by the key in force where that is ours to use. */
  async register(org: string, signing: Signing): Promise<void> {
    const old = this.here.find((k) => k.thumbprint === this.inForce?.thumbprint);
    const body: Record<string, unknown> = { public: signing.x };
    if (old) {
      const statement = {
        kind: 'key-change',
        id: org,
        by: org,
        at: Date.now() * 1_000,
        key: signing.thumbprint,
      } as const;
      const made = await signStatement(statement, old);
      body['statement'] = { ...made, keys: [old.x, signing.x] };
    }
    await app.api.json('POST', 'api/keys', body);
  }

  /** Lets the hub make and hold our first key: a convenience. */
  async letHubHold(): Promise<void> {
    await app.api.json('POST', 'api/keys/held', {});
    await this.read();
  }
}

export const keyring = new Keyring();
