/** Short and fast, because all mails go at once. It resolves when all are sent, or throws. */
export async function sendAll(users: readonly string[], send: (to: string) => Promise<void>): Promise<void> {
  await Promise.all(users.map((user) => send(user)));
}
