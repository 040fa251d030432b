/** One call per key at a time, shared by its callers: `latchkey/single-flight`. */
export { SingleFlight, type SingleFlightOptions } from './single-flight/single-flight.js';
