/**
 * What a person prefers on this device: theme and clock. The only things ever written to local storage; nothing of a
 * release, a row or a filter is.
 */
import type { Clock } from '../lib/time.ts';

export type Theme = 'dark' | 'light';

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // Storage may be off: the preference then lasts as long as the page.
  }
}

class Prefs {
  theme = $state<Theme>('dark');
  clock = $state<Clock>('utc');

  constructor() {
    const theme = stored('cw-theme');
    const bright = matchMedia('(prefers-color-scheme: light)').matches;
    this.theme = theme === 'dark' || theme === 'light' ? theme : bright ? 'light' : 'dark';
    this.clock = stored('cw-clock') === 'local' ? 'local' : 'utc';
    this.show();
  }

  private show(): void {
    document.documentElement.dataset['theme'] = this.theme;
  }

  flipTheme(): void {
    this.theme = this.theme === 'dark' ? 'light' : 'dark';
    store('cw-theme', this.theme);
    this.show();
  }

  flipClock(): void {
    this.clock = this.clock === 'utc' ? 'local' : 'utc';
    store('cw-clock', this.clock);
  }
}

export const prefs = new Prefs();
