// Schemas of docs/openapi.yaml as types of Python: objects are `TypedDict`s, and money is a `Decimal`.

const HEAD = `"""What is sent to Pulso's hooks, and what they answer. Generated from docs/openapi.yaml by scripts/wire.mjs of the
Node.js package.

Must not be changed by hand.
"""

import sys
from decimal import Decimal
from typing import Any, Literal, TypeAlias, TypedDict

if sys.version_info >= (3, 11):
    from typing import NotRequired
else:
    from typing_extensions import NotRequired
`;

export function python(schemas) {
  const known = Object.fromEntries(schemas);
  const made = schemas.flatMap(([name, schema]) => {
    const fields = members(schema, known);
    if (fields === null) return [`\n${name}: TypeAlias = ${type(schema)}\n`];
    const lines = Object.entries(fields).map(([field, [of, isNeeded]]) => `    ${field}: ${isNeeded ? of : `NotRequired[${of}]`}\n`);
    return [`\n\nclass ${name}(TypedDict):\n${doc(schema.description)}${lines.join('')}\n`];
  });
  return `${[HEAD, ...made].join('').trimEnd().replace(/\n{4,}/g, '\n\n\n')}\n`;
}

function doc(text) {
  if (text === undefined) return '';
  const lines = text.trim().split('\n');
  if (lines.length === 1) return `    """${lines[0]}"""\n\n`;
  return `    """${lines.join('\n    ')}\n    """\n\n`;
}

/** The fields of an object, those of its alternatives as ones that may be left out; null for what is none. */
function members(schema, known) {
  if (schema.$ref) return members(known[schema.$ref.split('/').at(-1)], known);
  const alternatives = [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  if (schema.type !== 'object' && !schema.allOf) return null;
  const fields = {};
  const add = (part, mayBeLeftOut) => {
    for (const [name, of] of Object.entries(part.properties ?? {})) {
      const isNeeded = !mayBeLeftOut && (part.required ?? []).includes(name);
      if (fields[name] === undefined || type(of) !== 'None') fields[name] = [type(of), isNeeded];
    }
  };
  add(schema, false);
  for (const part of schema.allOf ?? []) {
    const inherited = part.$ref ? members(part, known) : null;
    if (inherited) Object.assign(fields, inherited);
    else add(part, false);
  }
  for (const part of alternatives) add(part, true);
  return fields;
}

const PRIMITIVES = { string: 'str', integer: 'int', number: 'Decimal | int | float', boolean: 'bool', null: 'None' };

function union(of) {
  return [...new Set(of.flatMap((one) => one.split(' | ')))].join(' | ');
}

function type(schema) {
  if (schema.$ref) return schema.$ref.split('/').at(-1);
  if ('const' in schema) return literal([schema.const]);
  if (schema.enum) return literal(schema.enum);
  if (/^Money/.test(schema.description ?? '')) return 'Decimal | int | str';
  const several = schema.anyOf ?? schema.oneOf;
  if (several) return union(several.map(type));
  const types = [schema.type ?? []].flat();
  return types.length === 0 ? 'Any' : union(types.map((kind) => plain(kind, schema)));
}

function plain(kind, schema) {
  if (kind === 'array') return `list[${type(schema.items)}]`;
  if (kind === 'object') return 'dict[str, Any]';
  return PRIMITIVES[kind];
}

function literal(values) {
  const texts = values.filter((value) => value !== null);
  const said = texts.map((value) => (value === true ? 'True' : value === false ? 'False' : JSON.stringify(value)));
  return [`Literal[${said.join(', ')}]`, ...(texts.length < values.length ? ['None'] : [])].join(' | ');
}
