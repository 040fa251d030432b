/** What the site loads in a browser, file by file, with the built package beside it. The order matters: see `browser-parts.ts`. */
import './browser-parts.js';
import 'latchkey';
import 'latchkey/diagnostics';
import 'latchkey/overload';
import 'latchkey/watch';
import { takeBack } from './browser-parts.js';

export { demos } from './demos.js';
export { Recorder } from './lanes.js';
export { colours, laneStyle, picture } from './picture.js';

takeBack();
