// Owns `<pulso-stats>`: the figures of a business.

import type { Estadisticas, Pulso } from '@pulso/client';
import { Board } from './board.js';
import { PulsoElement, watch } from './element.js';

const FIGURES = ['citas_hoy', 'total_citas', 'citas_completadas', 'citas_canceladas'] as const;

const figuresOf = (value: Estadisticas | undefined) => value && Object.fromEntries(FIGURES.map((name) => [name, value[name]]));

export class PulsoStats extends PulsoElement {
  static override observedAttributes = [...PulsoElement.observedAttributes, 'negocio'];

  protected begin(pulso: Pulso): () => void {
    const { words, language } = this;
    const labels = Object.fromEntries(FIGURES.map((name) => [name, words[name]]));
    const board = new Board(this.shadow, language, labels, words.stats);
    const negocio = this.getAttribute('negocio');
    if (!negocio) return () => {};
    const end = watch(() => pulso.stats(negocio), (stats) => board.show(stats, figuresOf(stats.latest)));
    return () => {
      end();
      board.close();
    };
  }
}
