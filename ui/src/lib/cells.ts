/**
 * Cells of an answer as people read them. Numbers of enumerations become their OCSF words; everything else is shown as
 * the hub disclosed it.
 */
import type { Cell, Column } from './api.ts';
import { full } from './format.ts';
import { parseInstant, sayInstant, type Clock } from './time.ts';

const SEVERITY = ['unknown', 'informational', 'low', 'medium', 'high', 'critical', 'fatal'];
const CLASS = [
  '', 'malware', 'intrusion', 'firewall', 'web', 'integrity', 'log', 'application', 'system', 'dns', 'flow', 'auth', 'mail', 'vulnerability', 'match',
]; // prettier-ignore
const DIRECTION = ['unknown', 'inbound', 'outbound', 'lateral', 'local'];
const ACTION = ['unknown', 'allowed', 'denied', 'observed', 'modified'];
const PROTOCOL: Record<number, string> = {
  1: 'ICMP',
  6: 'TCP',
  17: 'UDP',
  41: 'IPv6',
  47: 'GRE',
  50: 'ESP',
  58: 'ICMPv6',
  132: 'SCTP',
};
const ENUMERATIONS: Record<string, readonly string[] | Record<number, string>> = {
  severity_id: SEVERITY,
  event_class: CLASS,
  direction_id: DIRECTION,
  action_id: ACTION,
  proto: PROTOCOL,
};
const COUNTS = new Set(['count', 'bytes_in', 'bytes_out']);

/** The text of a cell that is not withheld. An empty cell is "–": never the mark of a withheld one. */
export function sayCell(column: Column, cell: Cell | undefined, clock: Clock): string {
  if (cell === null || cell === undefined || cell === '') return '–';
  if (Array.isArray(cell)) return cell.length ? cell.join(', ') : '–';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  if (typeof cell === 'number') {
    const words = ENUMERATIONS[column.name] as Record<number, string> | undefined;
    return words?.[cell] ?? (COUNTS.has(column.name) ? full(cell) : String(cell));
  }
  if (typeof cell === 'object') return 'withheld';
  const at = column.kind === 'ts' || column.name === 'time' || column.name === 'end_time' ? parseInstant(cell) : null;
  return at === null ? cell : sayInstant(at, clock);
}
