// Writes src/wire.ts from docs/asyncapi.yaml: the types of all that a server says with `v=2`. `--check` only compares.

import { readFileSync, writeFileSync } from 'node:fs';
import { parse } from 'yaml';

const document = new URL('../../../docs/asyncapi.yaml', import.meta.url);
const target = new URL('../src/wire.ts', import.meta.url);
const { schemas } = parse(readFileSync(document, 'utf8')).components;

/** What the second version is called here, where there is no first. */
const NAMES = { RestaurantOrderStatusChanged2: 'OrderStatusEvent', OrderItemStatusChanged2: 'ItemStatusEvent', OrderNew2: 'OrderNewEvent', Error2: 'ErrorFrame', Resync2: 'ResyncFrame' };
const named = (name) => NAMES[name] ?? name.replace(/2$/, '');
/** What tells of the line and its channels; all others are events, whose numbers are somebody else's. */
const OF_THE_LINE = new Set(['Hello', 'Authenticated', 'Expiring', 'Subscribed', 'Unsubscribed', 'Error2', 'Resync2', 'Pong2', 'Closing', 'Stats2', 'Estadisticas', 'Consulta']);

const wanted = new Map();
const toDo = ['ServerFrame2'];
const refer = (reference) => {
  const name = reference.split('/').at(-1);
  if (!wanted.has(name) && !toDo.includes(name)) toDo.push(name);
  return named(name);
};

const comment = (schema, indent = '') => {
  const text = schema.description?.trim().replace(/\s*\n\s*/g, ' ');
  return text ? `${indent}/** ${text} */\n` : '';
};
const key = (name) => (/^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`);

function type(schema, isExact, indent = '') {
  if (schema.$ref) return refer(schema.$ref);
  if (schema.const !== undefined) return `'${schema.const}'`;
  if (schema.enum) return schema.enum.map((value) => `'${value}'`).join(' | ');
  const several = schema.oneOf ?? schema.anyOf;
  if (several && several.some((one) => one.type || one.$ref)) return several.map((one) => type(one, isExact, indent)).join(' | ');
  if (Array.isArray(schema.type)) return schema.type.map((one) => type({ ...schema, type: one }, isExact, indent)).join(' | ');
  switch (schema.type) {
    case 'string': return 'string';
    case 'boolean': return 'boolean';
    case 'null': return 'null';
    case 'integer':
    case 'number': return isExact ? 'Exact' : 'number';
    case 'array': return `(${type(schema.items ?? {}, isExact, indent)})[]`.replace(/^\((\w+)\)/, '$1');
    case 'object': return schema.properties ? object(schema, isExact, indent) : 'Record<string, unknown>';
    default: return 'unknown';
  }
}

function object({ properties, required = [], additionalProperties }, isExact, indent) {
  const inner = `${indent}  `;
  const lines = Object.entries(properties).map(([name, schema]) =>
    `${comment(schema, inner)}${inner}${key(name)}${required.includes(name) ? '' : '?'}: ${type(schema, isExact, inner)};\n`);
  if (additionalProperties !== false) lines.push(`${inner}/** Whatever else was sent. */\n${inner}[more: string]: unknown;\n`);
  return `{\n${lines.join('')}${indent}}`;
}

for (let name = toDo.shift(); name !== undefined; name = toDo.shift()) {
  const schema = schemas[name];
  const written = type(schema, !OF_THE_LINE.has(name));
  const head = comment(schema);
  const own = named(name);
  const generic = own === 'OwnMessage' || own === 'Consulta';
  const body = generic ? written.replace(/data: [^;]+;/, 'data: T;') : written;
  wanted.set(name, body.startsWith('{') && !body.includes('} |')
    ? `${head}export interface ${own}${generic ? '<T = unknown>' : ''} ${body}\n`
    : `${head}export type ${own} =${body.includes(' | ') && body.length > 100 ? `\n  | ${body.split(' | ').join('\n  | ')}` : ` ${body}`};\n`);
}

const text = `// What travels with \`v=2\`. Made from docs/asyncapi.yaml by \`npm run wire\`: what is to change is changed there.

/** A number where JavaScript keeps its digits, and else its text: 45.50, an id of nineteen digits. */
export type Exact = number | string;

${[...wanted.values()].join('\n')}
/** What happens in a shop. */
export type SaleEvent = NewSale | UpdateProduct | UpdatePromotion | UpdateTable;
/** What happens to the orders of a restaurant. */
export type OrderEvent = OrderNewEvent | OrderStatusEvent | ItemStatusEvent;
`;

if (process.argv.includes('--check')) {
  if (readFileSync(target, 'utf8') !== text) {
    console.error('src/wire.ts is not what docs/asyncapi.yaml says: npm run wire');
    process.exit(1);
  }
} else {
  writeFileSync(target, text);
}
