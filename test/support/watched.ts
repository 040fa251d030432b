/** A set-up file: watches the whole test file, and fails at its end if a deadlock was reported. */
import { type WatchReport, watch } from 'latchkey/watch';
import { afterAll, beforeEach, expect } from 'vitest';

const reports: string[] = [];
watch({
  deadlocks: 'reject',
  order: false,
  onReport: (report: WatchReport) => {
    if (report.kind === 'deadlock') reports.push(`${expect.getState().currentTestName}: ${report}`);
  },
});
beforeEach(() => {});
afterAll(() => expect(reports).toEqual([]));
