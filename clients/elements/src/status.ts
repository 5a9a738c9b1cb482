// Owns `<pulso-status>`: how the line is, in a word.

import type { Pulso } from '@pulso/client';
import { make, PulsoElement } from './element.js';

export class PulsoStatus extends PulsoElement {
  protected begin(pulso: Pulso): () => void {
    const text = make('span', 'text');
    const line = make('p', 'status', make('span', 'dot'), text);
    line.setAttribute('role', 'status');
    line.setAttribute('aria-live', 'polite');
    const draw = () => {
      const { state } = pulso.status;
      line.setAttribute('part', `status is-${state}`);
      text.textContent = this.words[state];
    };
    draw();
    this.shadow.replaceChildren(line);
    return pulso.on('status', draw);
  }
}
