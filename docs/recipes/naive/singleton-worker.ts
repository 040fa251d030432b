/** One replica has `POLLER=1` in its environment. This needs no lock and no dependency. */
export async function poll(work: (signal: AbortSignal) => Promise<void>, stop: AbortSignal): Promise<void> {
  if (process.env['POLLER'] !== '1') return;
  while (!stop.aborted) await work(stop);
}
