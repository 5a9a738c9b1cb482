// Schemas of docs/openapi.yaml as types of TypeScript.

const HEAD = `/**
 * What is sent to Pulso's hooks, and what they answer. Generated from docs/openapi.yaml by scripts/wire.mjs.
 *
 * Must not be changed by hand.
 */
`;

export function typescript(schemas) {
  const types = schemas.map(([name, schema]) => `${comment(schema.description, '')}export type ${name} = ${type(schema, '')};\n`);
  return [HEAD, ...types].join('\n');
}

function comment(text, indent) {
  if (text === undefined) return '';
  const lines = text.trim().split('\n');
  if (lines.length === 1) return `${indent}/** ${lines[0]} */\n`;
  return [`${indent}/**`, ...lines.map((line) => `${indent} * ${line}`.trimEnd()), `${indent} */\n`].join('\n');
}

const PRIMITIVES = { string: 'string', integer: 'number', number: 'number', boolean: 'boolean', null: 'null' };

function union(members) {
  return [...new Set(members)].join(' | ');
}

function bracketed(text) {
  return text.includes(' | ') ? `(${text})` : text;
}

function type(schema, indent) {
  if (schema.$ref) return schema.$ref.split('/').at(-1);
  if ('const' in schema) return literal(schema.const);
  if (schema.enum) return union(schema.enum.map(literal));
  const parts = [];
  if (schema.properties) parts.push(object(schema, indent));
  if (schema.allOf) parts.push(...schema.allOf.map((part) => bracketed(type(part, indent))));
  const several = schema.anyOf ?? schema.oneOf;
  if (several) {
    const members = several.map((part) => (part.required && !part.properties ? required(part, schema, indent) : type(part, indent)));
    parts.push(parts.length === 0 ? union(members) : bracketed(union(members)));
  }
  if (parts.length > 0) return parts.join(' & ');
  const types = [schema.type ?? []].flat();
  return types.length === 0 ? 'unknown' : union(types.map((kind) => plain(kind, schema, indent)));
}

function literal(value) {
  return typeof value === 'string' ? `'${value}'` : String(value);
}

function plain(kind, schema, indent) {
  if (kind === 'array') return `${bracketed(type(schema.items, indent))}[]`;
  if (kind === 'object') return 'object';
  return PRIMITIVES[kind];
}

/** Of an alternative that only says which of the properties must be there. */
function required({ required: names }, { properties }, indent) {
  return type({ required: names, properties: Object.fromEntries(names.map((name) => [name, properties[name]])) }, indent);
}

function object({ properties, required: needed = [] }, indent) {
  const within = `${indent}  `;
  const fields = Object.entries(properties).map(([name, schema]) => {
    const mark = needed.includes(name) ? '' : '?';
    return `${comment(schema.description, within)}${within}${name}${mark}: ${type(schema, within)};\n`;
  });
  return `{\n${fields.join('')}${indent}}`;
}
