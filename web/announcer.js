// Owns what screen readers hear of the boards: a sentence now and then, not every event.

import { setText } from '/elements.js';
import { texts } from '/words.js';

const EVERY_MS = 4_000;
const MOST_AT_ONCE = 5;

const waiting = [];
let timer = 0;

export function say(text) {
  if (text) waiting.push(text);
  if (timer === 0) timer = setTimeout(speak, 300);
}

export function hush() {
  waiting.length = 0;
}

function speak() {
  timer = 0;
  if (waiting.length === 0) return;
  const left = waiting.length - MOST_AT_ONCE;
  const said = waiting.splice(0, waiting.length).slice(0, MOST_AT_ONCE);
  if (left > 0) said.push(texts.more(left));
  setText(document.getElementById('anuncio'), said.join('. '));
  timer = setTimeout(speak, EVERY_MS);
}
