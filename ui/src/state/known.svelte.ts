/** Names of organisations and communities this page may know: from the session, the view and my own agreements. */
import type { AgreementInfo } from '../lib/api.ts';
import { merge, type Known, type Named } from '../lib/agree/known.ts';
import { app } from './app.svelte.ts';

class Names {
  private agreements = $state.raw<AgreementInfo[]>([]);
  private more = $state.raw<Named[]>([]);

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
    const communities = (session?.org.communities ?? []).map((id) => ({ id, name: id }));
    const named = [...parties, ...owners].map((n) => ({ id: n.id, name: n.name || n.id }));
    return { organisations: merge(mine, this.more, named), communities };
  });

  /** Reads the parties of my agreements. */
  async read(): Promise<void> {
    this.agreements = await app.api.agreements().catch(() => []);
  }

  /** Names that came with something else, such as a document. */
  add(names: readonly Named[]): void {
    this.more = merge(this.more, names);
  }
}

export const names = new Names();
