import { describe, expect, test } from 'vitest';
import { fit, moveEdge, press, shift, type Part, type Window } from './brush.ts';
import { HOUR } from './time.ts';

const edges = Array.from({ length: 24 * 21 + 1 }, (_, i) => i * HOUR);
const bins = edges.length - 1;

describe('the brush', () => {
  test('arrows move one bin, Shift a day, Ctrl a week', () => {
    const w: Window = [240, 288];
    expect(press(w, 'start', { key: 'ArrowLeft' }, edges)).toEqual([239, 288]);
    expect(press(w, 'end', { key: 'ArrowRight', shiftKey: true }, edges)).toEqual([240, 312]);
    expect(press(w, 'both', { key: 'ArrowLeft', ctrlKey: true }, edges)).toEqual([72, 120]);
    expect(press(w, 'both', { key: 'End' }, edges)).toEqual([bins - 48, bins]);
    expect(press(w, 'start', { key: 'Home' }, edges)).toEqual([0, 288]);
    expect(press(w, 'both', { key: '+' }, edges)).toEqual([239, 289]);
    expect(press(w, 'both', { key: '-' }, edges)).toEqual([241, 287]);
    expect(press(w, 'both', { key: 'Escape' }, edges)).toBe('clear');
    expect(press(w, 'both', { key: 'Tab' }, edges)).toBeNull();
  });

  test('no key and no drag makes a window that is empty, crossed or outside', () => {
    const keys = ['ArrowLeft', 'ArrowRight', 'Home', 'End', '+', '-', 'PageUp', 'PageDown'];
    let w: Window = [0, 1];
    for (let i = 0; i < 4000; i++) {
      const part = (['start', 'end', 'both'] as Part[])[(i * 7) % 3]!;
      const next = press(
        w,
        part,
        { key: keys[(i * 31) % keys.length]!, shiftKey: i % 5 === 0, ctrlKey: i % 11 === 0 },
        edges,
      );
      if (next && next !== 'clear') w = next;
      expect(w[0]).toBeGreaterThanOrEqual(0);
      expect(w[1]).toBeLessThanOrEqual(bins);
      expect(w[1] - w[0]).toBeGreaterThanOrEqual(1);
    }
  });

  test('moving keeps the width, edges stop before each other', () => {
    expect(shift([2, 5], -9, 10)).toEqual([0, 3]);
    expect(shift([2, 5], 99, 10)).toEqual([7, 10]);
    expect(moveEdge([2, 5], 'start', 9, 10)).toEqual([4, 5]);
    expect(moveEdge([2, 5], 'end', 0, 10)).toEqual([2, 3]);
    expect(fit([7, 7], 10)).toEqual([7, 8]);
    expect(fit([12, 4], 10)).toEqual([4, 10]);
  });
});
