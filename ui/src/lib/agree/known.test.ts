import { describe, expect, it } from 'vitest';
import { groupsOf, idIn, nameIn, withNames, type Known } from './known.ts';

const known: Known = {
  organisations: [
    { id: 'maple', name: 'Maple Dental' },
    { id: 'harbour-mss', name: 'harbour-mss' },
  ],
  communities: [{ id: 'sme-shield', name: 'SME Shield', steward: false }],
  services: [
    { id: 'harbour-mss', name: 'Harbour', roles: ['mssp'] },
    { id: 'north', name: 'North', roles: ['cert', 'isp'] },
  ],
};

describe('who can be picked', () => {
  it('is grouped by service, each once, with those I deal with last', () => {
    expect(groupsOf(known).map((g) => [g.label, g.organisations.map((o) => o.id)])).toEqual([
      ['Security providers', ['harbour-mss']],
      ['CERTs', ['north']],
      ['Others you deal with', ['maple']],
    ]);
    expect(groupsOf(known, ['maple', 'north']).map((g) => g.label)).toEqual(['Security providers']);
  });

  it('is found by name or short name, and what is unknown stays as typed', () => {
    expect([idIn(known, ' harbour '), idIn(known, 'NORTH'), idIn(known, 'oak-law')]).toEqual([
      'harbour-mss',
      'north',
      'oak-law',
    ]);
    expect([nameIn(known, 'harbour-mss'), nameIn(known, 'sme-shield'), nameIn(known, 'oak-law')]).toEqual([
      'Harbour',
      'SME Shield',
      'oak-law',
    ]);
  });

  it('is named in a sentence, and no word is taken for a short name', () => {
    const text =
      'Newly shown to organisations maple, north and harbour-mss; future members of community sme-shield, for north and other reasons; read by north.';
    expect(withNames(known, text)).toBe(
      'Newly shown to organisations Maple Dental, north and Harbour; future members of community SME Shield, for north and other reasons; read by North.',
    );
    expect(withNames(known, 'of malware, dns and maple events')).toBe('of malware, dns and maple events');
  });
});
