/**
 * The words of agreements, copied from the hub's own tables (`ui/dev/vocabulary.py` writes them, a test keeps them
 * current), and the few that only the editor needs.
 */
import table from './vocabulary.json';

type Words = Readonly<Record<string, string>>;

export const GRAMMAR: string = table.grammar;
export const CLASSES: Words = table.classes;
export const PURPOSES: Words = table.purposes;
export const ROLES: Words = table.roles;
export const MEASURES: Words = table.measures;
export const LEVELS: Words = table.levels;
export const PARTIES: Words = table.parties;
export const DUTIES: Readonly<Record<string, Words>> = table.duties;
/** How often the owner is told of accesses, where not of each (of that nothing is said). */
export const TELLING: Words = table.telling;
export const TLP: readonly string[] = table.tlp;
export const SEVERITIES: readonly string[] = table.severities;
export const RESERVED: ReadonlySet<string> = new Set(table.reserved);
const FIELDS: Readonly<Record<string, { family: string; label: string }>> = table.fields;
const POINTS: Readonly<Record<string, string[]>> = table.points;
const STEPS: Readonly<Record<string, string[]>> = table.steps;
const EXAMPLES: Readonly<Record<string, Words>> = table.examples;

/** Clause fields in catalogue order. */
export const FIELD_NAMES: readonly string[] = Object.keys(FIELDS);

/** The label of a clause field, such as "source address"; an unknown name as it is. */
export const labelOf = (field: string): string => FIELDS[field]?.label ?? field;

/** Every named point a field can have, least telling first. */
export const pointsOf = (field: string): readonly string[] => POINTS[FIELDS[field]?.family ?? ''] ?? [];

/** The steps a count can be made in, coarsest first. */
export const stepsOf = (field: string): readonly string[] => STEPS[FIELDS[field]?.family ?? ''] ?? [];

/** The example value of a field as a reader sees it at a point; empty where nothing is shown. */
export const exampleOf = (field: string, point: string): string => EXAMPLES[field]?.[point] ?? '';

/** "to the hour": the phrase of a level; a name without one as it is. */
export const levelPhrase = (point: string): string => LEVELS[point] ?? point;

/** Fields in the groups a person looks for them. Every field stands in exactly one. */
export const GROUPS: readonly { title: string; fields: readonly string[] }[] = [
  {
    title: 'What happened',
    fields: ['time', 'severity', 'action', 'signature', 'attack', 'malware', 'vulnerability'],
  },
  { title: 'Who you are', fields: ['owner', 'owner_sector', 'owner_region', 'owner_size', 'sensor'] },
  {
    title: 'On the network',
    fields: ['src_ip', 'src_port', 'dst_ip', 'dst_port', 'protocol', 'volume', 'domain', 'url', 'fingerprint'],
  },
  { title: 'People and machines', fields: ['host', 'user', 'user_agent', 'command', 'message'] },
  { title: 'Files and mail', fields: ['file_hash', 'file_name', 'file_path', 'mail_from', 'mail_to', 'mail_subject'] },
];

/** What a TLP marking means, in a few words (FIRST TLP 2.0). */
export const TLP_MEANING: Words = {
  clear: 'for everyone',
  green: 'for the community',
  amber: 'for the organisations that need it and those they serve',
  'amber+strict': 'for one organisation only',
  red: 'for named people only',
};

/** What a purpose lets a reader do, for those who choose. */
export const PURPOSE_MEANING: Words = {
  operate: 'look after your security tools',
  detect: 'find attacks',
  respond: 'handle an incident',
  research: 'study trends, without acting on single members',
};

/** What a kind of event is, for those who choose. */
export const CLASS_MEANING: Words = {
  malware: 'antivirus findings',
  intrusion: 'network attack alarms',
  firewall: 'connections allowed or blocked',
  web: 'web requests and web attacks',
  integrity: 'changed system files',
  log: 'alarms from log files',
  application: 'programs started or blocked',
  system: 'operating system notices',
  dns: 'names looked up',
  flow: 'who talked to whom, and how much',
  auth: 'logins',
  mail: 'mail traffic and mail attacks',
  vulnerability: 'known weaknesses found',
  match: 'attack patterns recognised',
};

export const MEASURE_MEANING: Words = {
  onsets: 'how often a threat is new at a member',
  contributors: 'how many members are behind it',
  events: 'how many single events',
  sources: 'how many attacking addresses',
  destinations: 'how many attacked addresses',
};

export const DUTY_TITLES: Words = {
  actions: 'May act on it',
  onward: 'May pass it on',
  attribution: 'May name you',
  notify_affected: 'May notify those affected',
  resale: 'May sell it',
  encrypt: 'Encryption',
};
