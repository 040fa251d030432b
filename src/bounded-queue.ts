/** A bounded queue with an explicit overflow policy: `latchkey/bounded-queue`. */
export {
  type Batch,
  BoundedQueue,
  type BoundedQueueOptions,
  type OfferOptions,
  type OverflowPolicy,
  type OverflowReport,
} from './queue/bounded-queue.js';
