/** Without it the process does not end: an open server or pool keeps it alive. */
export function endOnSigterm(): void {
  process.on('SIGTERM', () => process.exit());
}
