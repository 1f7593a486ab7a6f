import { expect, test } from 'vitest';
import { asked, extent, fraction, nameOf, place, turned, type Release, type Said } from './picture.ts';

const said = (value: number | null, low: number, high: number): Said => ({
  label: 'x',
  value,
  sd: 1,
  low: value === null ? null : low,
  high: value === null ? null : high,
  unmeasured: 0,
  basis: 'measured',
  sure: true,
  text: '',
});

test('an axis holds every interval whole, negative ends too, and always 0', () => {
  expect(extent([said(5, 2, 8), said(-3, -9, 3)])).toEqual([-9, 8]);
  expect(extent([said(5, 2, 8)])).toEqual([0, 8]);
  expect(extent([said(null, 0, 0)])).toEqual([0, 1]);
  expect(place(-9, [-9, 9])).toBe(0);
  expect(place(0, [-9, 9])).toBe(0.5);
});

test('a value is chosen and taken back, other dimensions stay', () => {
  const one = turned({ sector: ['Q'] }, 'family', 'qakbot');
  expect(one).toEqual({ sector: ['Q'], family: ['qakbot'] });
  expect(turned(one, 'family', 'qakbot')).toEqual({ sector: ['Q'] });
  expect(turned(one, 'family', 'emotet').family).toEqual(['qakbot', 'emotet']);
});

test('exact releases have a page of their own, fractions are exact until they are drawn', () => {
  const release = { id: 'r', kind: 'exact', window: { from: '', to: '' }, dims: [], about: null } as Release;
  expect(asked([release])).toEqual([]);
  expect(fraction('1/20')).toBe(0.05);
  expect(fraction('0')).toBe(0);
  const about = { community: 'ring', tier: 'community' } as unknown as Release['about'];
  const noisy = { ...release, kind: 'private', window: { from: '2026-10-05T00:00:00Z', to: '' }, about } as Release;
  expect(nameOf(noisy)).toBe('ring, from 2026-10-05: with noise, community');
});
