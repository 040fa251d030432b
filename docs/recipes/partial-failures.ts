/**
 * "Three of a thousand mails were not sent. We learned of one of them."
 *
 * The report lists every failure with its user. Too many failures raise an alert. When the mail server is down, the run stops
 * early.
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
    // If more than half of the first twenty fail, the mail server is down: skip the rest.
    stopWhen: ({ failed, succeeded }) => failed + succeeded >= 20 && failed > succeeded,
  });
  const { succeeded, skipped, failureRate, errors } = gathered;
  const failed = errors.map(({ item, error }) => ({ to: item, why: String(error) }));
  // One failure of two is 50 %, but proves little.
  if (failed.length >= 3 && failureRate > 0.02) {
    alert(`${failed.length} mails failed, ${skipped} were not tried; first: ${failed[0]?.why}`);
  }
  return { sent: succeeded, failed };
}
