/** RFC 6902 patches of a document: what a suggestion of the hub changes. The document given stays as it was. */

export interface Patch {
  target: string;
  op: 'add' | 'remove' | 'replace';
  path: string;
  value?: unknown;
}

type Node = Record<string, unknown> | unknown[];

const parts = (path: string): string[] =>
  path
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** The document with the patches that name it; null where one of them does not fit any more. */
export function applied<D extends object>(document: D, patches: readonly Patch[]): D | null {
  const made = structuredClone(document);
  for (const patch of patches) if (!apply(made as Node, patch)) return null;
  return made;
}

function apply(root: Node, patch: Patch): boolean {
  const steps = parts(patch.path);
  const last = steps.pop();
  let node: unknown = root;
  for (const step of steps) node = Array.isArray(node) ? node[Number(step)] : (node as Record<string, unknown>)?.[step];
  if (last === undefined || typeof node !== 'object' || node === null) return false;
  return Array.isArray(node) ? inList(node, last, patch) : inObject(node as Record<string, unknown>, last, patch);
}

function inList(list: unknown[], last: string, { op, value }: Patch): boolean {
  const at = last === '-' ? list.length : Number(last);
  if (!Number.isInteger(at) || at < 0 || at > list.length || (op !== 'add' && at === list.length)) return false;
  if (op === 'add') list.splice(at, 0, value);
  else if (op === 'remove') list.splice(at, 1);
  else list[at] = value;
  return true;
}

function inObject(node: Record<string, unknown>, last: string, { op, value }: Patch): boolean {
  if (op !== 'add' && !Object.hasOwn(node, last)) return false;
  if (op === 'remove') delete node[last];
  else node[last] = value;
  return true;
}
