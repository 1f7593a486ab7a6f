/**
 * The signing keys this browser holds, one for each organisation and key: handles that can sign and cannot be read out.
 *
 * Rules held here: only key handles, their public halves and names are stored, never anything of an event or a release;
 * without storage (a private window, say) a key lasts as long as the page.
 */
import type { Signing } from './jws.ts';

export interface Held extends Signing {
  org: string;
  made: number;
}

const memory = new Map<string, Held>();

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open('commonwatch-keys', 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore('keys', { keyPath: 'thumbprint' });
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error ?? new Error('no storage'));
  });
}

async function run<T>(mode: IDBTransactionMode, ask: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const asked = ask(database.transaction('keys', mode).objectStore('keys'));
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(asked.error ?? new Error('no storage'));
    });
  } finally {
    database.close();
  }
}

/** Whether this browser ever kept a key; asking must not make a store where there is none. */
async function any(): Promise<boolean> {
  try {
    const known = await indexedDB.databases();
    return known.some((d) => d.name === 'commonwatch-keys');
  } catch {
    return false;
  }
}

/** Keeps a key in this browser; false where it lasts only as long as the page. */
export async function keep(held: Held): Promise<boolean> {
  memory.set(held.thumbprint, held);
  try {
    await run('readwrite', (store) => store.put(held));
    return true;
  } catch {
    return false;
  }
}

/** The keys of an organisation in this browser, newest first. */
export async function heldBy(org: string): Promise<Held[]> {
  const stored = (await any()) ? await run('readonly', (s) => s.getAll() as IDBRequest<Held[]>).catch(() => []) : [];
  const all = new Map([...stored.map((h) => [h.thumbprint, h] as const), ...memory]);
  return [...all.values()].filter((h) => h.org === org).sort((a, b) => b.made - a.made);
}

/** Takes a key out of this browser. Its saved file still signs. */
export async function forget(thumbprint: string): Promise<void> {
  memory.delete(thumbprint);
  if (await any()) await run('readwrite', (store) => store.delete(thumbprint)).catch(() => undefined);
}
