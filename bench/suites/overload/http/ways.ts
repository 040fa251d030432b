/** What the server and the bench know of each other. */

export const workers = 10;
export const taskMs = 20;

/** How requests wait for the backend. */
export const ways = {
  fifo: 'first come, first served',
  leaving: 'the same, and clients that leave are noticed',
  timeout500: 'waitTimeoutMs 500, as the deadline',
  timeout250: 'waitTimeoutMs 250, half of it',
  maxWaiting1000: 'maxWaiting 1,000',
  delayed: 'controlledDelay()',
  delayed450: 'controlledDelay({ targetMs: 450 })',
  recipe: 'the admission recipe, limit unknown',
  recipe450: 'the same with targetMs: 450',
} as const;

export type Way = keyof typeof ways;
