/**
 * The brush without a screen: what a drag or a key does to a window of bins. Pure, so that pointer and keyboard share
 * one tested truth. Arrows move one bin, Shift a day, Ctrl a week; + and - widen and narrow; Home and End go to the ends.
 */
import { binsIn } from './bins.ts';
import { DAY } from './time.ts';

export type Window = readonly [number, number];
export type Part = 'start' | 'end' | 'both';

/** Keeps a window inside [0, bins] with at least one bin. */
export function fit(window: Window, bins: number): Window {
  const a = Math.min(Math.max(0, Math.min(window[0], window[1])), bins - 1);
  const b = Math.max(Math.min(bins, Math.max(window[0], window[1])), a + 1);
  return [a, b];
}

/** Moves a window as a whole; at an end it stops with its width kept. */
export function shift(window: Window, by: number, bins: number): Window {
  const width = window[1] - window[0];
  const a = Math.min(Math.max(0, window[0] + by), bins - width);
  return [a, a + width];
}

/** Moves one edge; edges stop one bin before each other instead of crossing. */
export function moveEdge(window: Window, part: 'start' | 'end', to: number, bins: number): Window {
  const [a, b] = window;
  if (part === 'start') return [Math.min(Math.max(0, to), b - 1), b];
  return [a, Math.max(Math.min(bins, to), a + 1)];
}

export interface Press {
  key: string;
  shiftKey?: boolean;
  ctrlKey?: boolean;
  metaKey?: boolean;
}

function stepOf(press: Press, edges: readonly number[], bin: number): number {
  if (press.ctrlKey || press.metaKey) return binsIn(edges, bin, 7 * DAY);
  return press.shiftKey ? binsIn(edges, bin, DAY) : 1;
}

/** What a key does to a part of the window; null: nothing to do with the brush; 'clear': the window goes away. */
export function press(window: Window, part: Part, pressed: Press, edges: readonly number[]): Window | 'clear' | null {
  const bins = edges.length - 1;
  const at = part === 'end' ? window[1] : window[0];
  const step = stepOf(pressed, edges, at);
  const move = (by: number): Window =>
    part === 'both' ? shift(window, by, bins) : moveEdge(window, part, at + by, bins);
  const go = (to: number): Window =>
    part === 'both' ? shift(window, to === 0 ? -bins : bins, bins) : moveEdge(window, part, to, bins);
  switch (pressed.key) {
    case 'ArrowLeft':
    case 'ArrowDown':
      return move(-step);
    case 'ArrowRight':
    case 'ArrowUp':
      return move(step);
    case 'PageDown':
      return move(-binsIn(edges, at, DAY));
    case 'PageUp':
      return move(binsIn(edges, at, DAY));
    case 'Home':
      return go(0);
    case 'End':
      return go(bins);
    case '+':
    case '=':
      return fit([window[0] - step, window[1] + step], bins);
    case '-':
      return window[1] - window[0] > 2 * step ? [window[0] + step, window[1] - step] : window;
    case 'Escape':
      return 'clear';
    default:
      return null;
  }
}
