// Owns how the elements look, as far as a page says nothing else by their parts and variables. No inline style: a strict content
// security policy forbids them, and lets this pass.

const TEXT = `
:host { display: block; color: var(--pulso-color, CanvasText); font: var(--pulso-font, inherit); }
:host([hidden]) { display: none; }
[part~="tiles"] { display: grid; grid-template-columns: repeat(auto-fit, minmax(var(--pulso-tile, 9rem), 1fr)); gap: var(--pulso-gap, 0.75rem); margin: 0; }
[part~="tile"] { padding: var(--pulso-padding, 0.75rem 1rem); border: 1px solid var(--pulso-line, color-mix(in srgb, currentColor 20%, transparent)); border-radius: var(--pulso-radius, 0.5rem); background: var(--pulso-surface, Canvas); }
[part~="label"] { font-size: 0.875em; opacity: 0.8; }
[part~="value"] { margin: 0; font-size: var(--pulso-size, 1.75em); font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
[part~="table"] { border-collapse: collapse; inline-size: 100%; }
[part~="head"], [part~="cell"] { padding: 0.375rem 0.75rem; text-align: start; border-block-end: 1px solid var(--pulso-line, color-mix(in srgb, currentColor 20%, transparent)); }
[part~="note"], [part~="status"] { margin: 0; font-size: 0.875em; }
[part~="note"]:empty { display: none; }
[part~="note"] { margin-block-start: 0.5rem; }
[part~="is-stale"] [part~="value"], [part~="is-stale"] [part~="cell"] { opacity: 0.5; }
[part~="dot"] { display: inline-block; inline-size: 0.625em; block-size: 0.625em; margin-inline-end: 0.5em; border-radius: 50%; background: var(--pulso-away, #b45309); }
[part~="is-connected"] [part~="dot"] { background: var(--pulso-live, #15803d); }
[part~="is-stopped"] [part~="dot"] { background: var(--pulso-stopped, #b91c1c); }
[part~="announcement"] { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; margin: 0; }
`;

let sheet: CSSStyleSheet | undefined;

/** One sheet for all elements of a page. */
export function look(): CSSStyleSheet {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(TEXT);
  }
  return sheet;
}
