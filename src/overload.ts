export { type ControlledDelayOptions, controlledDelay } from './overload/controlled-delay.js';
export { type FairShareOptions, fairShare } from './overload/fair-share.js';
export type { WaitOrder } from './waiting/wait-order.js';
