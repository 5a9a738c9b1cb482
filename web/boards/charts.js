// Owns the drawings, made of SVG nodes and attributes only (the page's CSP forbids inline styles and markup).

import { formatNumber, formatPercent, formatSpan, texts } from '/words.js';

const BUCKETS = 20;

function svg(name, attributes = {}, text) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

/** A ring of completadas, canceladas and pendientes; `parts` = [[colour name, count], …], of which the first is written in it. */
export function drawShare(target, parts, label) {
  const radius = 48;
  const around = 2 * Math.PI * radius;
  const whole = parts.reduce((sum, [, count]) => sum + count, 0);
  const shown = parts.filter(([, count]) => count > 0);
  const gap = shown.length > 1 ? 2.2 : 0;
  const nodes = [svg('circle', { class: 'track', cx: 60, cy: 60, r: radius })];
  let start = 0;
  for (const [color, count] of shown) {
    const length = (count / whole) * around;
    nodes.push(svg('circle', {
      class: 'slice', 'data-color': color, cx: 60, cy: 60, r: radius, transform: 'rotate(-90 60 60)',
      'stroke-dasharray': `${Math.max(length - gap, 0.8)} ${around}`, 'stroke-dashoffset': -start,
    }));
    start += length;
  }
  const [first, completed] = parts[0];
  nodes.push(svg('text', { class: 'share-main', x: 60, y: 62 }, whole ? formatPercent(completed, whole) : '—'));
  nodes.push(svg('text', { class: 'share-sub', x: 60, y: 76 }, texts.figures.parts[first]));
  target.replaceChildren(...nodes);
  target.setAttribute('aria-label', label);
}

/** Whole-number ticks, three or four of them, around what was seen; a figure that stands still runs through the middle. */
function ticks(least, most) {
  const low = least === most ? least - 1 : least;
  const high = least === most ? most + 1 : most;
  const step = [1, 2, 5, 10, 20, 25, 50].find((size) => (high - low) / size <= 3)
    ?? 10 ** Math.ceil(Math.log10((high - low) / 3));
  const first = Math.max(0, Math.floor(low / step) * step);
  const marks = [];
  for (let mark = first; mark < high + step; mark += step) marks.push(mark);
  if (marks.length < 3) marks.push(marks.at(-1) + step);
  return marks;
}

/** citas_hoy as a stepped line over the last minutes, changes as bars below it, gaps in the line shaded. */
export function drawTrend(target, trail, now) {
  const width = target.clientWidth;
  const height = target.clientHeight;
  if (width < 40 || height < 40) return;
  target.setAttribute('viewBox', `0 0 ${width} ${height}`);
  const span = trail.windowMs(now);
  const bucketSpan = span / BUCKETS;
  const size = Number.parseFloat(getComputedStyle(target).fontSize);
  if (trail.points.length === 0) {
    target.replaceChildren(svg('text', { class: 'axis', x: width / 2, y: height / 2, 'text-anchor': 'middle' }, texts.figures.noTrend));
    return;
  }

  const values = trail.points.map((point) => point.value);
  const marks = ticks(Math.min(...values), Math.max(...values));
  const left = size * (0.9 + 0.62 * formatNumber(marks.at(-1)).length);
  const right = width - size * 0.5;
  const top = size * 0.7;
  const barsBottom = height - size * 1.8;
  const barsTop = barsBottom - Math.max(size * 1.6, height * 0.14);
  const bottom = barsTop - size * 0.8;
  const start = now - span;
  const x = (at) => left + ((Math.max(at, start) - start) / span) * (right - left);
  const y = (value) => bottom - ((value - marks[0]) / (marks.at(-1) - marks[0])) * (bottom - top);
  const nodes = [];

  for (const mark of marks) {
    nodes.push(svg('line', { class: 'grid', x1: left, x2: right, y1: y(mark), y2: y(mark) }));
    nodes.push(svg('text', { class: 'axis', x: left - size * 0.5, y: y(mark) + size * 0.35, 'text-anchor': 'end' }, formatNumber(mark)));
  }
  for (const gap of trail.gaps) {
    const from = x(gap.from);
    nodes.push(svg('rect', { class: 'gap', x: from, y: top, width: Math.max(x(gap.to ?? now) - from, 1.5), height: barsBottom - top }));
  }

  const points = trail.points;
  let path = `M${x(points[0].at)} ${y(points[0].value)}`;
  for (const point of points.slice(1)) path += `H${x(point.at)}V${y(point.value)}`;
  path += `H${x(now)}`;
  nodes.push(svg('path', { class: 'area', d: `${path}V${bottom}H${x(points[0].at)}Z` }));
  nodes.push(svg('path', { class: 'trend-line', d: path }));
  nodes.push(svg('circle', { class: 'trend-now', cx: x(now), cy: y(points.at(-1).value), r: size * 0.32 }));

  // Buckets stand on round times, so that a bar moves to the left without changing its height.
  const buckets = new Map();
  for (const at of trail.changes) {
    const bucket = Math.floor(at / bucketSpan) * bucketSpan;
    buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
  }
  const most = Math.max(3, ...buckets.values());
  nodes.push(svg('line', { class: 'base', x1: left, x2: right, y1: barsBottom, y2: barsBottom }));
  for (const [bucket, count] of buckets) {
    const from = x(bucket) + 1;
    const to = Math.min(x(bucket + bucketSpan) - 1, right);
    const tall = (count / most) * (barsBottom - barsTop);
    nodes.push(svg('rect', { class: 'bar', x: from, y: barsBottom - tall, width: Math.max(to - from, 2), height: tall, rx: 1.5 }));
  }

  const below = height - size * 0.4;
  const { minutesAgo, secondsAgo } = texts.figures;
  nodes.push(svg('text', { class: 'axis', x: left, y: below }, minutesAgo(span / 60_000)));
  nodes.push(svg('text', { class: 'axis', x: (left + right) / 2, y: below, 'text-anchor': 'middle' }, span > 60_000 ? minutesAgo(formatNumber(span / 120_000)) : secondsAgo(30)));
  nodes.push(svg('text', { class: 'axis', x: right, y: below, 'text-anchor': 'end' }, texts.figures.now));
  target.replaceChildren(...nodes);
  target.setAttribute('aria-label', texts.figures.trend({
    span: formatSpan(span), now: formatNumber(points.at(-1).value), least: formatNumber(Math.min(...values)),
    most: formatNumber(Math.max(...values)), changes: trail.changes.length,
  }));
}

/** One bar each for `[{ name, value, text }, …]`, as high as its place allows; a value below nothing has none. */
export function drawBars(target, bars, label) {
  const width = target.clientWidth;
  const height = target.clientHeight;
  if (width < 40 || height < 40) return;
  target.setAttribute('viewBox', `0 0 ${width} ${height}`);
  target.setAttribute('aria-label', label);
  const size = Number.parseFloat(getComputedStyle(target).fontSize);
  const most = Math.max(1, ...bars.map(({ value }) => value));
  const [top, bottom] = [size * 1.5, height - size * 1.6];
  const slot = width / bars.length;
  const wide = Math.min(slot * 0.72, size * 5);
  // Names and values that would run into each other are left out, evenly.
  const every = (texts) => Math.ceil((Math.max(...texts.map((text) => text.length)) + 1) * size * 0.6 / slot);
  const nameEvery = every(bars.map(({ name }) => name));
  const hasValues = every(bars.map(({ text }) => text)) === 1;
  const nodes = [svg('line', { class: 'base', x1: 0, x2: width, y1: bottom, y2: bottom })];
  bars.forEach(({ name, value, text }, index) => {
    const middle = (index + 0.5) * slot;
    const tall = (Math.max(0, value) / most) * (bottom - top);
    nodes.push(svg('rect', { class: 'bar', x: middle - wide / 2, y: bottom - tall, width: wide, height: tall, rx: 2 }));
    if (hasValues) nodes.push(svg('text', { class: 'over', x: middle, y: bottom - tall - size * 0.35, 'text-anchor': 'middle' }, text));
    // The last is the one that moves: it always has its name.
    if ((bars.length - 1 - index) % nameEvery === 0) nodes.push(svg('text', { class: 'axis', x: middle, y: height - size * 0.3, 'text-anchor': 'middle' }, name));
  });
  target.replaceChildren(...nodes);
}
