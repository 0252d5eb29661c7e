import { PageBar } from '../ui/tools';

/** The OpenAPI document as a page: rendered on the server, nothing is loaded from elsewhere. */

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly description?: string;
  readonly schema: unknown;
}

interface Content {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema?: unknown }>>;
}

interface Operation {
  readonly summary: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: Content;
  readonly responses: Readonly<Record<string, Content>>;
}

export interface ApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly paths: Readonly<Record<string, object>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}

const METHODS = ['get', 'post', 'patch', 'delete'] as const;

const operationsOf = ({ paths }: ApiDocument) =>
  Object.entries(paths).flatMap(([path, item]) =>
    METHODS.flatMap((method) => {
      const operation = (item as Record<string, Operation | undefined>)[method];
      return operation ? [{ path, method, operation, id: `${method}${path.replaceAll(/[^\w]+/g, '-')}` }] : [];
    }),
  );

/** The name that a `$ref` leads to. */
const referenceOf = (schema: unknown): string | undefined => {
  const reference = (schema as { $ref?: string } | undefined)?.$ref;
  return reference?.split('/').at(-1);
};

function Shape({ content }: { content: Content['content'] }) {
  return Object.entries(content ?? {}).map(([type, { schema }]) => {
    const name = referenceOf(schema);
    return (
      <span key={type}>
        {' '}
        <code>{type}</code> {name && <a href={`#schema-${name}`}>{name}</a>}
      </span>
    );
  });
}

function OperationView({ operation }: { operation: Operation }) {
  const { parameters = [], requestBody, responses } = operation;
  return (
    <>
      {parameters.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Parameter</th>
              <th scope="col">Type</th>
              <th scope="col">Meaning</th>
            </tr>
          </thead>
          <tbody>
            {parameters.map(({ name, required, description, schema }) => (
              <tr key={name}>
                <th scope="row">
                  <code>{name}</code>
                  {required && ' (required)'}
                </th>
                <td>
                  <code>{JSON.stringify(schema)}</code>
                </td>
                <td>{description}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {requestBody && (
        <p>
          Body:
          <Shape content={requestBody.content} />
        </p>
      )}
      <ul>
        {Object.entries(responses).map(([status, { description, content }]) => (
          <li key={status}>
            <b>{status}</b> {description}
            <Shape content={content} />
          </li>
        ))}
      </ul>
    </>
  );
}

export function ApiPage({ document }: { document: ApiDocument }) {
  const operations = operationsOf(document);
  return (
    <>
      <PageBar>
        <a className="button quiet" href="/api/openapi.json">
          openapi.json
        </a>
      </PageBar>
      <main className="runs-page api-page">
        <h2>HTTP API, version {document.info.version}</h2>
        <p>{document.info.description}</p>
        <nav aria-label="Operations">
          <ul>
            {operations.map(({ path, method, operation, id }) => (
              <li key={id}>
                <a href={`#${id}`}>
                  <code>
                    {method.toUpperCase()} {path}
                  </code>
                </a>{' '}
                {operation.summary}
              </li>
            ))}
          </ul>
        </nav>
        {operations.map(({ path, method, operation, id }) => (
          <section key={id} id={id}>
            <h3>
              <code>
                {method.toUpperCase()} {path}
              </code>
            </h3>
            <p>{operation.summary}.</p>
            <OperationView operation={operation} />
          </section>
        ))}
        <h2>Schemas</h2>
        {Object.entries(document.components.schemas).map(([name, schema]) => (
          <details key={name} id={`schema-${name}`}>
            <summary>
              <code>{name}</code>
            </summary>
            {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard. */}
            <pre tabIndex={0}>{JSON.stringify(schema, null, 2)}</pre>
          </details>
        ))}
      </main>
    </>
  );
}
