/**
 * Notifications as people read them. Being told of each access is a duty of agreements, and a busy day brings hundreds:
 * those of one agreement, one day and one state (new or seen) are one notice, with everybody it was shown to.
 */
import { count } from '../format.ts';
import type { Notification } from './hub.ts';

export interface Notice {
  /** The notifications behind it, newest first. */
  uids: readonly string[];
  at: number;
  seen: boolean;
  /** The newest of them. */
  newest: Notification;
  /** Answers by reader, most first; empty for anything but accesses. */
  readers: readonly (readonly [string, number])[];
}

const DAY = 86_400_000_000;

/** Notices in the order of their newest notification. */
export function fold(list: readonly Notification[]): Notice[] {
  const found = new Map<string, Notification[]>();
  for (const n of list) {
    const key = n.kind === 'access' ? `${n.subject} ${Math.floor(n.at / DAY)} ${n.seen}` : n.uid;
    found.set(key, [...(found.get(key) ?? []), n]);
  }
  return [...found.values()].flatMap((same) => {
    const newest = same[0];
    if (!newest) return [];
    return [{ uids: same.map((n) => n.uid), at: newest.at, seen: newest.seen, newest, readers: readersOf(same) }];
  });
}

function readersOf(same: readonly Notification[]): [string, number][] {
  const found = new Map<string, number>();
  for (const { kind, detail } of same) {
    const [by, uses] = [detail['by'], detail['uses']];
    if (kind === 'access' && typeof by === 'string') found.set(by, (found.get(by) ?? 0) + (Number(uses) || 1));
  }
  return [...found].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** To whom and how often, with whatever names are known: for accesses that are told together. */
export function sayAccess(title: string, readers: Notice['readers'], nameOf: (id: string) => string): string {
  const answers = readers.reduce((sum, [, uses]) => sum + uses, 0);
  const [first] = readers;
  const who = readers.length === 1 && first ? nameOf(first[0]) : count(readers.length, 'organisation');
  return `What ${title} shares was shown to ${who} in ${count(answers, 'answer')}`;
}

/** The first few of many readers. */
export function sayReaders(readers: Notice['readers'], nameOf: (id: string) => string, most = 6): string {
  const named = readers.slice(0, most).map(([id, uses]) => `${nameOf(id)} ${uses}`);
  return named.join(', ') + (readers.length > most ? ` and ${readers.length - most} more` : '');
}
