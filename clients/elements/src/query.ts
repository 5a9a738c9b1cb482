// Owns `<pulso-query>`: the result of a live query, an object as tiles, an array as a table.

import type { Pulso } from '@pulso/client';
import { Board, type Labels } from './board.js';
import { PulsoElement, watch } from './element.js';

/** What a page calls the columns, as JSON; what is no such object names nothing. */
function labelsOf(text: string | null): Labels {
  try {
    const labels = JSON.parse(text ?? '{}') as unknown;
    return typeof labels === 'object' && labels !== null && !Array.isArray(labels) ? (labels as Labels) : {};
  } catch {
    return {};
  }
}

export class PulsoQuery extends PulsoElement {
  static override observedAttributes = [...PulsoElement.observedAttributes, 'name', 'key', 'labels'];

  protected begin(pulso: Pulso): () => void {
    const name = this.getAttribute('name');
    const board = new Board(this.shadow, this.language, labelsOf(this.getAttribute('labels')), this.getAttribute('aria-label') ?? name ?? '');
    if (!name) return () => {};
    const key = this.getAttribute('key') ?? undefined;
    const end = watch(() => pulso.query(name, key), (query) => board.show(query, query.latest));
    return () => {
      end();
      board.close();
    };
  }
}
