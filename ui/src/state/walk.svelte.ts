/**
 * One draft while somebody writes it: what it says now, whether it is saved, and what the hub says about it.
 *
 * Rules held here: typing is never held up; every change is saved to the hub a moment later, so that a reload loses
 * nothing; a late answer never overwrites a newer one.
 */
import { problemOf, type Problem } from '../lib/api.ts';
import type { Agreement } from '../lib/agree/document.ts';
import { check, toMend, withoutBlanks, type Checked, type Draft } from '../lib/agree/hub.ts';
import { app } from './app.svelte.ts';

const SAVE_AFTER = 700;
const CHECK_AFTER = 350;

export class Walk {
  document = $state.raw<Agreement | null>(null);
  checked = $state.raw<Checked | null>(null);
  problem = $state.raw<Problem | null>(null);
  saved = $state<'saved' | 'saving' | 'unsaved'>('saved');
  /** Raised when the document was changed from outside of the text panel. */
  turns = $state(0);
  edition = 0;
  private saving: ReturnType<typeof setTimeout> | undefined;
  private checking: ReturnType<typeof setTimeout> | undefined;
  private asked: AbortController | null = null;

  constructor(readonly id: string) {}

  /** Faults the person has to mend. */
  readonly faults = $derived(toMend(this.checked));

  async load(): Promise<void> {
    try {
      const draft = await app.api.json<Draft>('GET', `api/drafts/${encodeURIComponent(this.id)}`);
      this.document = draft.document;
      this.edition = draft.edition;
      this.turns += 1;
      this.ask(0);
    } catch (error) {
      this.problem = problemOf(error);
    }
  }

  /** Takes a changed document: it is shown at once, checked and saved a moment later. */
  change(document: Agreement, fromText = false): void {
    this.document = withoutBlanks(document);
    if (!fromText) this.turns += 1;
    this.saved = 'unsaved';
    clearTimeout(this.saving);
    this.saving = setTimeout(() => void this.save(), SAVE_AFTER);
    if (!fromText) this.ask(CHECK_AFTER);
  }

  private ask(after: number): void {
    clearTimeout(this.checking);
    this.checking = setTimeout(() => void this.judge(), after);
  }

  private async judge(): Promise<void> {
    const document = this.document;
    if (!document) return;
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      this.checked = await check(app.api, document, this.asked.signal);
      this.problem = null;
    } catch (error) {
      this.problem = problemOf(error) ?? this.problem;
    }
  }

  /** Saves now what is not saved yet. */
  async save(): Promise<void> {
    clearTimeout(this.saving);
    const document = this.document;
    if (!document || this.saved === 'saved') return;
    this.saved = 'saving';
    try {
      const draft = await putDraft(this.id, document, this.edition);
      this.edition = draft.edition;
      if (this.document === document) this.saved = 'saved';
      else this.change(this.document ?? document, true);
    } catch (error) {
      this.saved = 'unsaved';
      this.problem = problemOf(error);
    }
  }

  /** Leaves the draft: what is not saved yet is saved. */
  close(): void {
    clearTimeout(this.checking);
    this.asked?.abort();
    void this.save();
  }
}

/** Saves a draft under its id; the edition guards against two people overwriting each other. 0 makes a new one. */
export function putDraft(id: string, document: Agreement, edition: number): Promise<Draft> {
  const guard: Record<string, string> = edition ? { 'If-Match': `"${edition}"` } : {};
  return app.api.json<Draft>('PUT', `api/drafts/${encodeURIComponent(id)}`, { document }, undefined, guard);
}

/** A new name for a draft. */
export function newDraftId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return `d${[...bytes].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
}
