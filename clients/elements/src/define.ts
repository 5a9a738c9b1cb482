// Makes the elements known to the page by being loaded.

import { define } from './index.js';

define();
