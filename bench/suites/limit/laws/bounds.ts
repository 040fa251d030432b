/** All laws are compared within the same bounds. */
export const smallest = 1;
export const largest = 1_000;

export const clamp = (value: number, low = smallest, high = largest) => Math.max(low, Math.min(high, value));

/** Limits are whole; what a law reckons with need not be. */
export const whole = (value: number) => Math.max(1, Math.floor(value + 1e-9));

/** The step of the Vegas family: 1, and 2 from 100 on. */
export const step = (limit: number) => Math.max(1, Math.floor(Math.log10(whole(limit))));
