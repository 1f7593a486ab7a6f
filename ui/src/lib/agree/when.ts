/** Instants that come as microseconds since 1970, in words. */
import { sayInstant, type Clock } from '../time.ts';

export const sayMicros = (micros: number, clock: Clock): string => sayInstant(micros / 1_000, clock);
