/** "An `await` lets other requests run." It lets only promises run: timers and sockets come after all of them. */
export async function total(rows: Iterable<{ price: number; quantity: number }>): Promise<number> {
  let sum = 0;
  for (const { price, quantity } of rows) {
    sum += price * quantity;
    await undefined;
  }
  return sum;
}
