/**
 * "While the monthly report is computed, nobody can log in."
 *
 * After every ten milliseconds of it the event loop has a turn: timers, sockets, and the abort that ends it.
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
    // An abort can only arrive while others have their turn.
    signal?.throwIfAborted();
  }
  return sum;
}
