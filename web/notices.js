// Owns the notice above the boards: who has something to say, and which of it is shown.

import { setText } from '/elements.js';

const $ = (id) => document.getElementById(id);
const notices = new Map();

/** `about` names whose notice this is; a later one of the same replaces it. */
export function notify(about, notice) {
  notices.delete(about);
  notices.set(about, notice);
  render();
}

export function withdraw(about) {
  if (notices.delete(about)) render();
}

export function withdrawAll() {
  notices.clear();
  render();
}

function render() {
  const all = [...notices.values()];
  // A refusal outlasts a passing trouble; among equals the latest counts.
  const notice = all.findLast(({ tone }) => tone === 'error') ?? all.at(-1);
  const box = $('aviso-caja');
  box.hidden = !notice;
  box.dataset.tone = notice?.tone ?? 'warn';
  setText($('aviso'), notice?.text ?? '');
  $('reintentar').hidden = !notice?.retry;
  $('otro-acceso').hidden = !notice?.otherAccess;
  $('indicar-negocio').hidden = !notice?.chooseNegocio;
}
