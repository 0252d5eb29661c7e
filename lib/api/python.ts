import { openApiDocument } from './openapi';

/** The typed half of the Python package: one TypedDict for each object of the OpenAPI document, one method for each operation. */

interface Schema {
  readonly $ref?: string;
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema | false;
  readonly prefixItems?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
}

interface Parameter {
  readonly name: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

type Content = Readonly<Record<string, { readonly schema?: Schema }>>;

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
}

const METHODS = ['get', 'post', 'patch', 'delete'] as const;
const SINGULAR: Readonly<Record<string, string>> = { runs: 'run', analyses: 'analysis', sweeps: 'sweep' };
const KEYWORDS = new Set(['from', 'class', 'with', 'in', 'is', 'not', 'or', 'and', 'for', 'global', 'lambda', 'None']);
const SIMPLE: Readonly<Record<string, string>> = {
  string: 'str',
  number: 'float',
  integer: 'int',
  boolean: 'bool',
  null: 'None',
};

const capital = (word: string) => word.charAt(0).toUpperCase() + word.slice(1);
const classNameOf = (name: string) =>
  name
    .split(/[^A-Za-z0-9]+/)
    .map(capital)
    .join('');
const literal = (value: unknown): string =>
  value === null ? 'None' : typeof value === 'boolean' ? capital(String(value)) : JSON.stringify(value);
const refName = (ref: string) => ref.slice(ref.lastIndexOf('/') + 1);
const isName = (text: string) => /^[A-Za-z_]\w*$/.test(text) && !KEYWORDS.has(text);

/** A sentence or two as a docstring. */
function docstring(lines: readonly (string | undefined)[], indent: string): string {
  const text = lines.filter(Boolean).join(`\n\n${indent}`).replaceAll('\\', '\\\\').replaceAll('"""', "'''");
  return text === '' ? '' : `${indent}"""${text}${text.endsWith('"') ? ' ' : ''}"""\n`;
}

/** The Python types of a document's schemas. Equal objects get one name: that of the place where they first stand. */
class Types {
  readonly #classes: string[] = [];
  readonly #names = new Map<string, string>();
  readonly #taken = new Set<string>();

  get text(): string {
    return this.#classes.join('\n\n');
  }

  component(name: string, schema: Schema): void {
    if (schema.properties) {
      this.#taken.add(name);
      this.#names.set(JSON.stringify(schema), name);
      this.#classes.push(this.#classOf(name, schema));
    } else {
      const type = this.of(schema, name);
      this.#classes.push(`${name} = ${type}\n`);
    }
  }

  /** @param path names an object that has no name of its own */
  of(schema: Schema, path: string): string {
    if (schema.$ref) return refName(schema.$ref);
    if (schema.const !== undefined) return `Literal[${literal(schema.const)}]`;
    if (schema.enum) return `Literal[${schema.enum.map(literal).join(', ')}]`;
    const choices = schema.anyOf ?? schema.oneOf;
    if (choices) return this.#union(choices, path);
    if (Array.isArray(schema.type))
      return this.#union(
        schema.type.map((type) => ({ ...schema, type })),
        path,
      );
    if (schema.type === 'array') return this.#arrayOf(schema, path);
    if (schema.type === 'object' || schema.properties) return this.#objectOf(schema, path);
    return SIMPLE[String(schema.type)] ?? 'Any';
  }

  #union(choices: readonly Schema[], path: string): string {
    const kindOf = ({ properties }: Schema, k: number) => {
      const kind = properties?.kind ?? properties?.task;
      return typeof kind?.const === 'string' ? classNameOf(kind.const) : choices.length > 2 ? String(k + 1) : '';
    };
    const types = [...new Set(choices.map((each, k) => this.of(each, `${path}${kindOf(each, k)}`)))];
    const without = types.filter((type) => type !== 'None');
    const union = without.length === 1 ? without[0] : `Union[${without.join(', ')}]`;
    return without.length < types.length ? `Optional[${union}]` : union;
  }

  #arrayOf({ items, prefixItems }: Schema, path: string): string {
    const inner = prefixItems ? this.#union(prefixItems, path) : items ? this.of(items, path) : 'Any';
    return `Sequence[${inner}]`;
  }

  #objectOf(schema: Schema, path: string): string {
    if (!schema.properties) {
      const { additionalProperties: more } = schema;
      return `Mapping[str, ${typeof more === 'object' ? this.of(more, path) : 'Any'}]`;
    }
    const key = JSON.stringify(schema);
    const known = this.#names.get(key);
    if (known) return known;
    let name = path;
    for (let k = 2; this.#taken.has(name); k++) name = `${path}${k}`;
    this.#taken.add(name);
    this.#names.set(key, name);
    this.#classes.push(this.#classOf(name, schema));
    return name;
  }

  #classOf(name: string, { properties = {}, required = [], description }: Schema): string {
    const fields = Object.entries(properties).map(([field, schema]) => {
      const type = this.of(schema, `${name}${classNameOf(field)}`);
      return { field, type: required.includes(field) ? type : `NotRequired[${type}]`, about: schema.description };
    });
    if (fields.some(({ field }) => !isName(field)))
      return `${name} = TypedDict(\n    "${name}",\n    {\n${fields
        .map(({ field, type }) => `        ${JSON.stringify(field)}: ${JSON.stringify(type)},\n`)
        .join('')}    },\n)\n`;
    const body = fields.map(({ field, type, about }) => `    ${field}: ${type}\n${docstring([about], '    ')}`);
    return `class ${name}(TypedDict):\n${docstring([description], '    ')}${body.join('') || '    pass\n'}`;
  }
}

/** `get_run_map` for `GET /api/runs/{id}/map`. */
function methodNameOf(path: string, method: string): string {
  const parts = path.split('/').slice(2);
  const words = parts.flatMap((part, k) =>
    part === '{id}' ? [] : [parts[k + 1] === '{id}' ? (SINGULAR[part] ?? part) : part],
  );
  return [method, ...words].join('_');
}

const eventsIn = (description: string) =>
  `events ${[...description.matchAll(/event `(\w+)`/g)].map(([, name]) => `\`${name}\``).join(', ')}`;

/** How an operation is asked and what Python gets, by the media type of its answer. */
function answerOf({ responses }: Operation): { readonly call: string; readonly type: string; readonly about: string } {
  const [, { description, content = {} }] = Object.entries(responses).find(([status]) => status.startsWith('2')) as [
    string,
    Operation['responses'][string],
  ];
  const media = Object.keys(content);
  if (media.length > 1) return { call: '_bytes', type: 'bytes', about: description };
  if (media[0] === 'text/event-stream')
    return { call: '_events', type: 'Iterator[Event]', about: eventsIn(description) };
  if (media[0] === 'application/vnd.safetensors') return { call: '_tensors', type: 'Tensors', about: description };
  return { call: '_json', type: refName(content['application/json']?.schema?.$ref ?? 'Any'), about: description };
}

function methodOf(types: Types, path: string, method: string, operation: Operation): string {
  const { call, type, about } = answerOf(operation);
  const name = methodNameOf(path, method);
  const query = [...(operation.parameters ?? [])].sort((a, b) => Number(b.required) - Number(a.required));
  const asks = query.map((parameter) => {
    const wanted = types.of(parameter.schema, `${classNameOf(name)}${classNameOf(parameter.name)}`);
    const argument = isName(parameter.name) ? parameter.name : `${parameter.name}_`;
    const declared = parameter.required ? `${argument}: ${wanted}` : `${argument}: Optional[${wanted}] = None`;
    const meaning = parameter.description && `${argument}: ${parameter.description}`;
    return { declared, meaning, pair: `"${parameter.name}": ${argument}` };
  });
  const body = operation.requestBody?.content['application/json']?.schema?.$ref;
  const declared = [
    'self',
    ...(path.includes('{id}') ? ['id: str'] : []),
    ...(body ? [`body: ${refName(body)}`] : []),
    ...(asks.length > 0 ? ['*', ...asks.map((each) => each.declared)] : []),
  ];
  const url = path.includes('{id}') ? `f"${path.replace('{id}', '{quote(id)}')}"` : `"${path}"`;
  const given = [
    `"${method.toUpperCase()}"`,
    url,
    ...(asks.length > 0 ? [`query={${asks.map(({ pair }) => pair).join(', ')}}`] : []),
    ...(body ? ['body=body'] : []),
  ];
  const doc = docstring(
    [`${operation.summary}.`, `Answers: ${about}`, ...asks.map(({ meaning }) => meaning)],
    '        ',
  );
  const invoke = `self.${call}(${given.join(', ')})`;
  // What JSON decodes to is trusted to be what the document says.
  const answer = call === '_json' ? `cast(${JSON.stringify(type)}, ${invoke})` : invoke;
  return `    def ${name}(\n${declared.map((each) => `        ${each},\n`).join('')}    ) -> ${type}:\n${doc}        return ${answer}\n`;
}

const HEAD = `# Made from the OpenAPI document by "npm run python:client": change the schemas in lib/api, not this file.
"""Types and operations of Statescope's HTTP API, as \`/api/openapi.json\` describes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Iterator, Literal, Mapping, Optional, Sequence, TypedDict, Union, cast

from ._http import Event, Http, Tensors, quote

if TYPE_CHECKING:
    from typing_extensions import NotRequired
`;

/** The module \`statescope._api\`. */
export function pythonClient(): string {
  const { paths, components } = openApiDocument('');
  const types = new Types();
  // The smallest first: what stands inside of another then has its name from where it stands alone.
  const size = ([, schema]: [string, Schema]) => JSON.stringify(schema).length;
  const schemas = (Object.entries(components.schemas) as [string, Schema][]).sort((a, b) => size(a) - size(b));
  for (const [name, schema] of schemas) types.component(name, schema);
  const described = Object.entries(paths as Readonly<Record<string, Readonly<Record<string, unknown>>>>)
    .filter(([path]) => path !== '/api/openapi.json')
    .flatMap(([path, item]) =>
      METHODS.filter((method) => item[method]).map((method) =>
        methodOf(types, path, method, item[method] as Operation),
      ),
    );
  const api = `class Api(Http):\n    """Every operation of the server, by method and path."""\n\n${described.join('\n')}`;
  return `${HEAD}\n\n${types.text}\n\n${api}`;
}
