/**
 * "Three of a hundred mails were never sent, and nobody knew."
 *
 * Every failure is known with its user, too many of them call somebody, and a mail server that is down is not asked ten
 * thousand times.
 */
import { gatherSettled } from 'latchkey';

export interface Report {
  readonly sent: number;
  readonly failed: readonly { readonly to: string; readonly why: string }[];
}

export async function sendAll(
  users: readonly string[],
  send: (to: string, signal: AbortSignal) => Promise<void>,
  alert: (message: string) => void,
): Promise<Report> {
  const gathered = await gatherSettled(users, (to, { signal }) => send(to, signal), {
    concurrency: 10,
    // With half of the first twenty gone, the mail server is: do not try the other ten thousand.
    stopWhen: ({ failed, succeeded }) => failed + succeeded >= 20 && failed > succeeded,
  });
  const { succeeded, skipped, failureRate, errors } = gathered;
  const failed = errors.map(({ item, error }) => ({ to: item, why: String(error) }));
  // A rate of few says nothing.
  if (failed.length >= 3 && failureRate > 0.02) {
    alert(`${failed.length} mails failed, ${skipped} were not tried; first: ${failed[0]?.why}`);
  }
  return { sent: succeeded, failed };
}
