// Owns the line below a board's title: whether it is up to date, what may be missing, and since when. It always takes
// its place, so that nothing jumps when it has something to say.

import { make, setData, setText } from '/elements.js';
import * as words from '/words.js';

const MISSED_SHOWN_MS = 15 * 60_000;
const FAILURES_BEFORE_DOUBT = 4;

export class Status {
  #node;
  #whatToDo;
  #text = make('span', 'status-text');
  #understood = make('button', 'quiet', words.BOARD.understood);
  #state = 'conectando';
  #failures = 0;
  #refusal = null;
  #missed = null;
  #trouble = null;
  #news = '';

  /** `whatToDo`: what somebody who stands before this board does if something is missing. */
  constructor(node, whatToDo = words.BOARD.checkSystem) {
    this.#node = node;
    this.#whatToDo = whatToDo;
    this.#text.setAttribute('role', 'status');
    this.#understood.type = 'button';
    this.#understood.addEventListener('click', () => {
      this.#missed = null;
      this.#render();
    });
    node.append(make('span', 'dot'), this.#text, this.#understood);
    this.#render();
  }

  line(state, failures) {
    this.#state = state;
    this.#failures = failures;
    if (state === 'conectado') this.#refusal = null;
    this.#render();
  }

  /** Nothing comes here any more; `text` says why. */
  refused(text = words.BOARD.refused) {
    this.#refusal = text;
    this.#render();
  }

  /** Not all of what happened since `since` could be had. */
  missed(since, now) {
    this.#missed = { since: this.#missed?.since ?? since, until: now };
    this.#render();
  }

  /** What is wrong though the line stands, as `{ tone, text }`; null = nothing. */
  trouble(trouble) {
    this.#trouble = trouble;
    this.#render();
  }

  get isTroubled() {
    return this.#trouble !== null;
  }

  /** What to say while all is well. */
  news(text) {
    this.#news = text;
    this.#render();
  }

  tick(now) {
    if (this.#missed && now - this.#missed.until > MISSED_SHOWN_MS) {
      this.#missed = null;
      this.#render();
    }
  }

  #render() {
    const [tone, text] = this.#now();
    setData(this.#node, 'tone', tone);
    setText(this.#text, text);
    this.#understood.hidden = tone !== 'missed';
    // News come with every event and are announced by the board itself.
    this.#text.setAttribute('aria-live', tone === 'good' ? 'off' : 'polite');
  }

  #now() {
    if (this.#refusal) return ['bad', this.#refusal];
    if (this.#state !== 'conectado') {
      if (this.#failures >= FAILURES_BEFORE_DOUBT) return ['wait', words.BOARD.unreachable];
      return ['wait', this.#state === 'conectando' ? words.BOARD.connecting : words.BOARD.reconnecting];
    }
    if (this.#trouble) return [this.#trouble.tone, this.#trouble.text];
    if (this.#missed) return ['missed', `${words.describeMissed(this.#missed)} ${this.#whatToDo}`];
    return ['good', this.#news];
  }
}
