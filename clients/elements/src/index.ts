// `@pulso/elements`: custom elements over lines of `@pulso/client`.

import { PulsoQuery } from './query.js';
import { PulsoStats } from './stats.js';
import { PulsoStatus } from './status.js';

export { PulsoQuery, PulsoStats, PulsoStatus };

/** Makes the elements known to the page, unless they are. */
export function define(): void {
  const all = { 'pulso-stats': PulsoStats, 'pulso-query': PulsoQuery, 'pulso-status': PulsoStatus };
  for (const [name, element] of Object.entries(all)) if (!customElements.get(name)) customElements.define(name, element);
}
