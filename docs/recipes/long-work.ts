/**
 * "While the monthly report is computed, nobody can log in."
 *
 * After every ten milliseconds of work the event loop runs once: timers, sockets, and the abort that ends the work.
 */
import { yieldEvery } from 'latchkey/event-loop';

export async function total(
  rows: Iterable<{ price: number; quantity: number }>,
  signal?: AbortSignal,
): Promise<number> {
  const nextSlice = yieldEvery(10);
  let sum = 0;
  for (const { price, quantity } of rows) {
    sum += price * quantity;
    const turn = nextSlice();
    if (turn === undefined) continue;
    await turn;
    // An abort can only arrive during a yield.
    signal?.throwIfAborted();
  }
  return sum;
}
