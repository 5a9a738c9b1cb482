// Owns what all elements have in common: a line while they are in a page, a language, a shadow to draw into.

import type { Pulso, Subscription } from '@pulso/client';
import { join } from './lines.js';
import { look } from './look.js';
import { languageOf, wordsOf, type Language, type Words } from './words.js';

/** Where there is no DOM, as where pages are rendered, the classes can be loaded all the same. */
const Base = typeof HTMLElement === 'undefined' ? (class {} as typeof HTMLElement) : HTMLElement;

/** A node with its parts, which is how a page styles it. */
export function make<K extends keyof HTMLElementTagNameMap>(tag: K, part: string, ...within: (Node | string)[]): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.setAttribute('part', part);
  made.append(...within);
  return made;
}

export abstract class PulsoElement extends Base {
  static observedAttributes: string[] = ['url', 'token-from', 'lang'];
  #client: Pulso | null = null;
  #end: (() => void) | null = null;
  #isDue = false;
  protected readonly shadow: ShadowRoot;

  constructor() {
    super();
    this.shadow = this.attachShadow({ mode: 'open' });
    this.shadow.adoptedStyleSheets = [look()];
  }

  /** A client of the page's own, in place of `url` and `token-from`. */
  get client(): Pulso | null {
    return this.#client;
  }

  set client(client: Pulso | null) {
    this.#client = client;
    this.restart();
  }

  protected get language(): Language {
    return languageOf(this);
  }

  protected get words(): Words {
    return wordsOf(this.language);
  }

  connectedCallback(): void {
    this.restart();
  }

  disconnectedCallback(): void {
    this.#stop();
  }

  attributeChangedCallback(): void {
    this.restart();
  }

  /** Begins anew, once for all that changes in one go. */
  protected restart(): void {
    if (this.#isDue || !this.isConnected) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      const before = this.#end;
      this.#end = null;
      try {
        if (this.isConnected) this.#start();
      } finally {
        // Behind the new one, so that what both want stays open.
        before?.();
      }
    });
  }

  #start(): void {
    const url = this.getAttribute('url');
    if (!this.#client && !url) {
      this.shadow.replaceChildren();
      return;
    }
    const line = this.#client ? { pulso: this.#client, leave: () => {} } : join(url!, this.getAttribute('token-from'));
    const end = this.begin(line.pulso);
    this.#end = () => {
      end();
      line.leave();
    };
  }

  #stop(): void {
    this.#end?.();
    this.#end = null;
  }

  /** Shows what comes over the line; returns what ends that. */
  protected abstract begin(pulso: Pulso): () => void;
}

/** Draws at everything that a subscription says; one that was closed by signing out is asked for anew. */
export function watch<T>(ask: () => Subscription<T>, draw: (subscription: Subscription<T>) => void): () => void {
  let again: ReturnType<typeof setTimeout> | undefined;
  const subscription = ask();
  let leave = () => subscription.close();
  const redraw = () => {
    draw(subscription);
    if (subscription.state === 'closed') again = setTimeout(() => (leave = watch(ask, draw)));
  };
  const offs = (['state', 'value', 'error'] as const).map((event) => subscription.on(event, redraw));
  redraw();
  return () => {
    clearTimeout(again);
    for (const off of offs) off();
    leave();
  };
}
