import { describe, expect, it } from 'vitest';
import { budgetAt, chanceAt, numberOf, points, positionOf, verdict } from './plan.ts';

describe('the planner of private releases', () => {
  it('moves the budget in ratios and finds its way back', () => {
    for (const at of [0, 20, 50, 67, 83, 100]) expect(Math.abs(positionOf(budgetAt(at)) - at)).toBeLessThanOrEqual(1);
    expect(budgetAt(100)).toBe(1);
    expect(budgetAt(0)).toBe(0.001);
    expect(budgetAt(-5)).toBe(0.001);
  });

  it('reads exact fractions', () => {
    expect(numberOf('1/20')).toBe(0.05);
    expect(numberOf('2')).toBe(2);
  });

  it('says how readable a view is', () => {
    expect([0.1, 0.5, 3].map(verdict)).toEqual(['readable', 'rough', 'worse than a guess']);
  });

  it('draws what was computed and reads between the points', () => {
    const curve: [number, number][] = [
      [10, 0.2],
      [20, 0.8],
      [40, 1],
    ];
    expect(points(curve, 20, 100, 50)).toBe('50.0,40.0 100.0,10.0');
    expect(chanceAt(curve, 15)).toBeCloseTo(0.5);
    expect(chanceAt(curve, 0)).toBe(0);
    expect(chanceAt(curve, 99)).toBe(1);
  });
});
