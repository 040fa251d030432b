/** "Otherwise the process did not end, and the deploy hung": an open server or pool keeps it alive. */
export function endOnSigterm(): void {
  process.on('SIGTERM', () => process.exit());
}
