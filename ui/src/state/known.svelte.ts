/** Names of organisations and communities this page may know: the directory, the session, the view, my agreements. */
import type { AgreementInfo } from '../lib/api.ts';
import { directory, type Directory } from '../lib/agree/hub.ts';
import { merge, type Community, type Known, type Named } from '../lib/agree/known.ts';
import { app } from './app.svelte.ts';

class Names {
  private agreements = $state.raw<AgreementInfo[]>([]);
  private more = $state.raw<Named[]>([]);
  private listed = $state.raw<Directory>({ services: [], communities: [] });

  readonly known: Known = $derived.by(() => {
    const session = app.session;
    const mine: Named[] = session ? [{ id: session.org.org, name: session.org.name }] : [];
    const parties = this.agreements
      .flatMap((a) => a.parties)
      .map((p) => ({ id: p.id ?? p.org ?? '', name: p.name ?? '' }));
    const owners = (app.view?.agreements ?? []).map((a) => ({
      id: a.owner ?? '',
      name: a.owner_name ?? a.owner ?? '',
    }));
    const services = this.listed.services
      .filter((s) => s.org !== session?.org.org)
      .map((s) => ({ id: s.org, name: s.name, roles: s.roles }));
    const communities = [
      ...this.listed.communities,
      ...(session?.org.communities ?? [])
        .filter((id) => !this.listed.communities.some((c) => c.id === id))
        .map((id) => ({ id, name: id, steward: false })),
    ];
    const named = [...parties, ...owners].map((n) => ({ id: n.id, name: n.name || n.id }));
    return { organisations: merge(mine, this.more, named), communities, services };
  });

  /** The communities of which my organisation is the steward. */
  readonly stewarded: readonly Community[] = $derived(this.known.communities.filter((c) => c.steward));

  /** Reads the parties of my agreements, and the directory. */
  async read(): Promise<void> {
    [this.agreements, this.listed] = await Promise.all([
      app.api.agreements().catch(() => []),
      directory(app.api).catch(() => ({ services: [], communities: [] })),
    ]);
  }

  /** Names that came with something else, such as a document. */
  add(names: readonly Named[]): void {
    this.more = merge(this.more, names);
  }
}

export const names = new Names();
