/** Organisations and communities a person can pick from, as far as this page may know them. */
export interface Named {
  id: string;
  name: string;
}
export interface Known {
  organisations: readonly Named[];
  communities: readonly Named[];
}

/** Merges names; the first name of an id wins, an id never stands in for a name that is known. */
export function merge(...lists: readonly (readonly Named[])[]): Named[] {
  const found = new Map<string, Named>();
  for (const item of lists.flat()) {
    const before = found.get(item.id);
    if (item.id && (!before || before.name === before.id)) found.set(item.id, item);
  }
  return [...found.values()].sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}

/** The name of an organisation for people; its id where none is known. */
export const nameIn = (known: Known, id: string): string =>
  known.organisations.find((k) => k.id === id)?.name ?? known.communities.find((k) => k.id === id)?.name ?? id;
