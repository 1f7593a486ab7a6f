/**
 * Cells of an answer as people read them. Values are shown as the hub disclosed them; only times and counts are put in words.
 */
import type { Cell, Column } from './api.ts';
import { full } from './format.ts';
import { parseInstant, sayInstant, type Clock } from './time.ts';

const COUNTS = new Set(['count', 'bytes_in', 'bytes_out']);

/** The text of a cell that is not withheld. An empty cell is "–": never the mark of a withheld one. */
export function sayCell(column: Column, cell: Cell | undefined, clock: Clock): string {
  if (cell === null || cell === undefined || cell === '') return '–';
  if (Array.isArray(cell)) return cell.length ? cell.join(', ') : '–';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  if (typeof cell === 'number') return COUNTS.has(column.name) ? full(cell) : String(cell);
  if (typeof cell === 'object') return 'withheld';
  const at = column.kind === 'time' ? parseInstant(cell) : null;
  if (at === null) return cell;
  // A value on the full hour is most often one that was made coarser: seconds would claim more than is shown.
  return at % 3_600_000 ? sayInstant(at, clock, false, true) : sayInstant(at, clock);
}
