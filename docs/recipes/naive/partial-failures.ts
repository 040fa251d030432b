/** Short, and all at once is fast. What it resolves with is of no interest: they were sent, or it throws. */
export async function sendAll(users: readonly string[], send: (to: string) => Promise<void>): Promise<void> {
  await Promise.all(users.map((user) => send(user)));
}
