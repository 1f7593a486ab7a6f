/** Organisations and communities a person can pick from, as far as this page may know them. */
export interface Named {
  id: string;
  name: string;
}
/** An organisation that offers a service to members, found by its name. */
export interface Service extends Named {
  roles: readonly string[];
}
/** A community of mine, and whether my organisation is its steward. */
export interface Community extends Named {
  steward: boolean;
}
export interface Known {
  /** Those I deal with already. */
  organisations: readonly Named[];
  communities: readonly Community[];
  services: readonly Service[];
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
  [...known.organisations, ...known.services, ...known.communities].find((k) => k.id === id && k.name !== id)?.name ??
  id;

const NAMED = /\b(organisations? |communit(?:y|ies) |read by |, | and )([a-z0-9][a-z0-9-]*)/g;

/**
 * A sentence about agreements with names in place of short names, where we know them: for reading, never for signing.
 * In the middle of a list only a short name with a hyphen is taken for one, since it could be a word.
 */
export function withNames(known: Known, text: string): string {
  return text.replace(NAMED, (all, before: string, id: string) => {
    const name = nameIn(known, id);
    return name === id || (/^(?:,| and)/.test(before) && !id.includes('-')) ? all : before + name;
  });
}

/** The short name of an organisation somebody typed, by short name or by name. */
export function idIn(known: Known, text: string): string {
  const wish = text.trim().toLowerCase();
  const all = [...known.organisations, ...known.services];
  return all.find((k) => k.id === wish || k.name.toLowerCase() === wish)?.id ?? wish;
}

/** Groups to pick from: services by their first kind in this order, then those I deal with already. */
export function groupsOf(
  known: Known,
  without: readonly string[] = [],
): { label: string; organisations: readonly Named[] }[] {
  const services = known.services.filter((s) => !without.includes(s.id));
  const listed = new Set(services.map((s) => s.id));
  const others = known.organisations.filter((k) => !listed.has(k.id) && !without.includes(k.id));
  const groups = KINDS.map(([role, label], at) => ({
    label,
    organisations: services.filter(
      (s) => KINDS.findIndex(([r]) => s.roles.includes(r)) === at && s.roles.includes(role),
    ),
  }));
  return [...groups, { label: 'Others you deal with', organisations: others }].filter((g) => g.organisations.length);
}

const KINDS = [
  ['mssp', 'Security providers'],
  ['cert', 'CERTs'],
  ['isp', 'Internet providers'],
] as const;
