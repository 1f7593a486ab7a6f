import { describe, expect, test } from 'vitest';
import { Cube, runsOf } from './cube.ts';

/** A small repeatable source of numbers (mulberry32). */
function numbers(seed: number): (below: number) => number {
  let s = seed;
  return (below) => {
    s = (s + 0x6d2b79f5) | 0;
    let t = Math.imul(s ^ (s >>> 15), 1 | s);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

interface Sample {
  cube: Cube;
  codes: Uint8Array[];
  sizes: number[];
  weights: Float32Array;
}

function sample(seed: number, active = 0): Sample {
  const next = numbers(seed);
  const sizes = [1 + next(12), 1 + next(6), 1 + next(5), 1 + next(4)];
  const cells = next(200);
  const codes = sizes.map((n) => Uint8Array.from({ length: cells }, () => next(n)));
  const weights = Float32Array.from({ length: cells }, () => next(40) - 12);
  return { cube: new Cube(codes, sizes, weights, active), codes, sizes, weights };
}

/** Sums per code of `dim` with every filter but its own, cell by cell. */
function bruteForce(s: Sample, masks: (Set<number> | null)[], dim: number): number[] {
  const sums = new Array<number>(s.sizes[dim]!).fill(0);
  for (let i = 0; i < s.weights.length; i++) {
    const passes = masks.every((mask, k) => k === dim || mask === null || mask.has(s.codes[k]![i]!));
    if (passes) sums[s.codes[dim]![i]!]! += s.weights[i]!;
  }
  return sums;
}

describe('the local crossfilter', () => {
  test('equals brute force on random cubes and filters, whichever dim is active', () => {
    for (let seed = 1; seed <= 120; seed++) {
      const next = numbers(seed * 7919);
      const s = sample(seed, seed % 4);
      const masks: (Set<number> | null)[] = s.sizes.map(() => null);
      for (let step = 0; step < 6; step++) {
        const dim = next(4);
        if (step === 3) s.cube.activate(next(4));
        const mask = next(4) === 0 ? null : new Set(Array.from({ length: next(6) }, () => next(s.sizes[dim]!)));
        masks[dim] = mask;
        s.cube.allow(dim, mask);
        for (let k = 0; k < 4; k++) {
          const expected = bruteForce(s, masks, k);
          expect([...s.cube.view(k)], `seed ${seed} step ${step} dim ${k}`).toEqual(expected);
        }
        const total = bruteForce(s, masks, 0).reduce(
          (sum, v, c) => (masks[0] === null || masks[0]!.has(c) ? sum + v : sum),
          0,
        );
        expect(s.cube.total()).toBeCloseTo(total, 9);
      }
    }
  });

  test('a brush step visits no cell, a facet click visits each once', () => {
    const s = sample(5);
    s.cube.view(1);
    const before = s.cube.visited;
    for (let a = 0; a < s.sizes[0]!; a++) {
      s.cube.span(0, a, s.sizes[0]!);
      s.cube.view(1);
      s.cube.view(2);
      s.cube.total();
    }
    expect(s.cube.visited).toBe(before);
    s.cube.allow(1, []);
    s.cube.view(2);
    expect(s.cube.visited).toBe(before + s.cube.cells);
  });

  test('asking for the same mask again costs nothing', () => {
    const s = sample(9);
    s.cube.allow(1, [0]);
    s.cube.total();
    const before = s.cube.visited;
    s.cube.allow(1, [0]);
    s.cube.total();
    expect(s.cube.visited).toBe(before);
  });

  test('the ghost is the count of everything, whatever is filtered', () => {
    const s = sample(11);
    s.cube.allow(1, []);
    s.cube.span(0, 0, 0);
    for (let k = 0; k < 4; k++) expect([...s.cube.ghost(k)]).toEqual(bruteForce(s, [null, null, null, null], k));
  });

  test('negative cells are summed as they are', () => {
    const cube = new Cube([Uint8Array.of(0, 1), Uint8Array.of(0, 0)], [2, 1], Float32Array.of(-5, 2));
    expect(cube.total()).toBe(-3);
    expect([...cube.view(1)]).toEqual([-3]);
  });

  test('another measure gives another ghost', () => {
    const cube = new Cube([Uint8Array.of(0, 1)], [2], Uint32Array.of(1, 1));
    expect([...cube.ghost(0)]).toEqual([1, 1]);
    cube.weigh(Uint32Array.of(4, 6));
    expect([...cube.ghost(0)]).toEqual([4, 6]);
    expect(cube.total()).toBe(10);
  });

  test('a lane adds up to its view', () => {
    const s = sample(21);
    const lane = s.cube.lane(2);
    const view = s.cube.view(2);
    const bins = s.sizes[0]!;
    view.forEach((v, c) => expect(lane.slice(c * bins, (c + 1) * bins).reduce((x, y) => x + y, 0)).toBeCloseTo(v, 9));
  });

  test('counts the allowed values that have something', () => {
    const cube = new Cube([Uint8Array.of(0, 0, 1), Uint8Array.of(0, 1, 2)], [2, 3], Uint32Array.of(1, 1, 1));
    expect(cube.present(1)).toBe(3);
    cube.span(0, 0, 1);
    expect(cube.present(1)).toBe(2);
    cube.allow(1, [1, 2]);
    expect(cube.present(1)).toBe(1);
  });

  test('runs of a mask', () => {
    expect(runsOf(Uint8Array.of(1, 1, 0, 1))).toEqual([
      [0, 2],
      [3, 4],
    ]);
    expect(runsOf(Uint8Array.of(0, 0))).toEqual([]);
  });
});
