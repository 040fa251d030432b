/** "An `await` gives the others a turn." It gives promises one: timers and sockets stand behind all of them. */
export async function total(rows: Iterable<{ price: number; quantity: number }>): Promise<number> {
  let sum = 0;
  for (const { price, quantity } of rows) {
    sum += price * quantity;
    await undefined;
  }
  return sum;
}
