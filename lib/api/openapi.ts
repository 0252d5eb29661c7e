import { z } from 'zod';
import * as analyses from './analyses';
import {
  AnalysisCreatedSchema,
  AnalysisEventSchemas,
  AnalysisQuerySchema,
  AnalysisRequestSchema,
  AnalysisResultSchema,
  AnalysisSchema,
} from './causal';
import { ExportQuerySchema } from './export';
import { GeneratedTokenSchema, GenerationEventSchemas, GenerationRequestSchema } from './generation';
import { READINGS, type ReadingName } from './readings';
import { RunDeleteQuerySchema, RunEstimateSchema, RunPatchSchema } from './runs';
import * as schemas from './schemas';
import { SweepListSchema, SweepQuerySchema, SweepRequestSchema, SweepSchema, SweepStatusSchema } from './sweeps';
import { TrainingQuerySchema, TrainingRunsSchema } from './training';

type JsonSchema = Record<string, unknown>;

/** Schemas that other people's code generators get a name for. */
const COMPONENTS = {
  ErrorBody: schemas.ErrorBodySchema,
  Health: schemas.HealthSchema,
  ModelList: schemas.ModelListSchema,
  ModelFolder: schemas.ModelFolderSchema,
  TokenizerRequest: schemas.TokenizerRequestSchema,
  ExampleList: schemas.ExampleListSchema,
  TrainingRuns: TrainingRunsSchema,
  TokenizeRequest: schemas.TokenizeRequestSchema,
  TokenizeReply: schemas.TokenizeReplySchema,
  VocabularyReply: schemas.VocabularyReplySchema,
  Continuation: schemas.ContinuationSchema,
  RunRequest: schemas.RunRequestSchema,
  RunCreated: schemas.RunCreatedSchema,
  AnalysisCreated: AnalysisCreatedSchema,
  RunList: schemas.RunListSchema,
  Run: schemas.RunSchema,
  RunPatch: RunPatchSchema,
  RunEstimate: RunEstimateSchema,
  SnrResult: analyses.SnrResultSchema,
  AnalysisRequest: AnalysisRequestSchema,
  Analysis: AnalysisSchema,
  AnalysisResult: AnalysisResultSchema,
  SweepRequest: SweepRequestSchema,
  SweepStatus: SweepStatusSchema,
  SweepList: SweepListSchema,
  Sweep: SweepSchema,
  GenerationRequest: GenerationRequestSchema,
  GeneratedToken: GeneratedTokenSchema,
} as const;

type ComponentName = keyof typeof COMPONENTS;

/** `MapMetadata` for the tensors of `map`, `MapEstimate` for the JSON of `map/estimate`. */
function componentOf(name: ReadingName): ComponentName {
  const words = name.split('/').map((word) => word[0].toUpperCase() + word.slice(1));
  return `${words.join('')}${READINGS[name].reply.kind === 'tensors' ? 'Metadata' : ''}` as ComponentName;
}

const READING_COMPONENTS: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  Object.entries(READINGS).map(([name, { reply }]) => [
    componentOf(name as ReadingName),
    reply.kind === 'tensors' ? reply.metadata : reply.schema,
  ]),
);

/** Every schema of the document, by its name there. */
export const COMPONENT_SCHEMAS: Readonly<Record<string, z.ZodType>> = { ...COMPONENTS, ...READING_COMPONENTS };

/** What a caller may send: defaults are optional, transforms are their input. */
function jsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', target: 'draft-2020-12' }) as JsonSchema;
  return rest;
}

const reference = (name: ComponentName) => ({ $ref: `#/components/schemas/${name}` });
const json = (name: ComponentName) => ({ content: { 'application/json': { schema: reference(name) } } });

const REASONS: Readonly<Record<number, string>> = {
  400: 'The request does not fit the schema.',
  403: 'Outside the folders that the server may read.',
  404: 'There is no such model, run, analysis, sweep or model index.',
  409: 'Not there yet, or released to make room.',
  413: 'Too much text.',
  422: 'Understood, but it cannot be computed: the message says why.',
  503: 'The worker is down or too many runs and analyses wait.',
};

function refusals(statuses: readonly number[]) {
  return Object.fromEntries(
    [...statuses, 500].map((status) => [
      status,
      { description: REASONS[status] ?? 'The server failed.', ...json('ErrorBody') },
    ]),
  );
}

function ok(name: ComponentName, description: string, status = 200) {
  return { [status]: { description, ...json(name) } };
}

function tensors(description: string) {
  const schema = { type: 'string', format: 'binary' };
  return { 200: { description, content: { 'application/vnd.safetensors': { schema } } } };
}

/** Query parameters, one for each property of an object schema. */
function query(schema: z.ZodObject) {
  const { properties = {}, required = [] } = jsonSchema(schema) as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description ? { description } : {}),
    schema: rest,
  }));
}

const runId = { name: 'id', in: 'path', required: true, schema: { type: 'string' } };
const body = (name: ComponentName) => ({ required: true, ...json(name) });

/** @param named events whose data is a component */
const eventDescription = (
  events: Readonly<Record<string, z.ZodType>>,
  named: Readonly<Record<string, ComponentName>>,
) =>
  Object.entries(events)
    .map(([name, schema]) => `event \`${name}\`: ${named[name] ?? JSON.stringify(jsonSchema(schema))}`)
    .join('\n\n');

const eventBody = (description: string) => ({
  200: { description, content: { 'text/event-stream': { schema: { type: 'string' } } } },
});

/** One path for each row of the table of readings. */
function readingPaths() {
  return Object.fromEntries(
    Object.entries(READINGS).map(([name, { about, query: asked, reply }]) => {
      const schema = componentOf(name as ReadingName);
      const answer =
        reply.kind === 'json' ? ok(schema, reply.about) : tensors(`${reply.about}; \`__metadata__\` as ${schema}`);
      const responses = { ...answer, ...refusals([400, 404, 409, 422, 503]) };
      return [
        `/api/runs/{id}/${name}`,
        { parameters: [runId], get: { summary: about, parameters: query(asked), responses } },
      ];
    }),
  );
}

function paths() {
  const operation = (summary: string, responses: object, rest: object = {}) => ({ summary, ...rest, responses });
  return {
    '/api/health': {
      get: operation('State of the server; never waits for a computation', {
        ...ok('Health', 'State'),
        ...refusals([]),
      }),
    },
    '/api/models': {
      get: operation('Models that can be run', { ...ok('ModelList', 'Models'), ...refusals([503]) }),
      post: operation(
        'Adds the checkpoints of a folder, and two levels below it',
        { ...ok('ModelList', 'What the folder holds'), ...refusals([400, 403, 404, 422, 503]) },
        { requestBody: body('ModelFolder') },
      ),
      patch: operation(
        'Chooses the tokenizer that reads a model’s text',
        { ...ok('ModelList', 'Models'), ...refusals([400, 403, 404, 422, 503]) },
        { requestBody: body('TokenizerRequest') },
      ),
      delete: operation(
        'Takes a folder that was added, or one that is gone, from the list; its files stay',
        { ...ok('ModelList', 'What is left'), ...refusals([404, 422, 503]) },
        { parameters: query(schemas.ModelFolderSchema) },
      ),
    },
    '/api/examples': {
      get: operation('Prompts that come with the bundled models', {
        ...ok('ExampleList', 'Examples'),
        ...refusals([]),
      }),
    },
    '/api/training': {
      get: operation(
        'Runs of `statescope train` among the models, in `runs/` and in `experiments/`, as they stand',
        { ...ok('TrainingRuns', 'Curves, λ, evaluations and samples'), ...refusals([400, 403, 404, 503]) },
        { parameters: query(TrainingQuerySchema) },
      ),
    },
    '/api/tokenize': {
      post: operation(
        'Tokens of a text with their UTF-16 offsets',
        { ...ok('TokenizeReply', 'Tokens'), ...refusals([400, 404, 413, 422, 503]) },
        { requestBody: body('TokenizeRequest') },
      ),
    },
    '/api/vocabulary': {
      get: operation(
        "Searches a model's vocabulary",
        { ...ok('VocabularyReply', 'At most `limit` tokens, best match first'), ...refusals([400, 404, 422, 503]) },
        { parameters: query(schemas.VocabularyQuerySchema) },
      ),
    },
    '/api/estimate': {
      post: operation(
        'Memory and time that a run would take, or why it would be refused',
        { ...ok('RunEstimate', 'Estimate'), ...refusals([400, 404, 413, 422, 503]) },
        { requestBody: body('RunRequest') },
      ),
    },
    '/api/runs': {
      get: operation('Runs in memory and on disk, newest first', { ...ok('RunList', 'Runs'), ...refusals([]) }),
      post: operation(
        'Queues a run of one or two models over a prompt',
        { ...ok('RunCreated', 'Queued', 202), ...refusals([400, 404, 413, 422, 503]) },
        { requestBody: body('RunRequest') },
      ),
    },
    '/api/runs/{id}': {
      parameters: [runId],
      get: operation('Whole state of a run', { ...ok('Run', 'State'), ...refusals([404]) }),
      patch: operation(
        'Names a run',
        { ...ok('Run', 'State'), ...refusals([400, 404, 413, 503]) },
        { requestBody: body('RunPatch') },
      ),
      delete: operation(
        'Cancels before the next layer; what is finished stays readable unless it is to be forgotten',
        { ...ok('Run', 'State when the request arrived'), ...refusals([400, 404, 503]) },
        { parameters: query(RunDeleteQuerySchema) },
      ),
    },
    '/api/runs/{id}/resume': {
      parameters: [runId],
      post: operation('Goes on with a run that was cancelled or failed; what it has computed is not computed again', {
        ...ok('Run', 'Queued', 202),
        ...refusals([404, 409, 503]),
      }),
    },
    '/api/runs/{id}/events': {
      parameters: [runId],
      get: operation('Server-sent events of a run', {
        ...eventBody(eventDescription(schemas.RunEventSchemas, { run: 'Run' })),
        ...refusals([404]),
      }),
    },
    ...readingPaths(),
    '/api/runs/{id}/export': {
      parameters: [runId],
      get: operation(
        'Numbers of a run as a file for other programs',
        {
          200: {
            description: 'The file, named by Content-Disposition',
            content: Object.fromEntries(
              ['text/csv', 'application/zip', 'application/vnd.safetensors', 'application/json'].map((type) => [
                type,
                {},
              ]),
            ),
          },
          ...refusals([400, 404, 409, 422, 503]),
        },
        { parameters: query(ExportQuerySchema) },
      ),
    },
    '/api/analyses': {
      post: operation(
        'Queues a causal test (patching, knock-out, ablation, overrides of λ), or allocation or SNR over a batch',
        { ...ok('AnalysisCreated', 'Queued', 202), ...refusals([400, 404, 413, 422, 503]) },
        { parameters: query(AnalysisQuerySchema), requestBody: body('AnalysisRequest') },
      ),
    },
    '/api/sweeps': {
      get: operation('Sweeps of the database, newest first, whoever made them', {
        ...ok('SweepList', 'How far each is'),
        ...refusals([422, 503]),
      }),
      post: operation(
        'Makes a sweep, or goes on with it: its items are shared by this server and every `statescope worker` on the same database',
        { ...ok('SweepStatus', 'How far it is', 202), ...refusals([400, 403, 404, 413, 422, 503]) },
        { parameters: query(SweepQuerySchema), requestBody: body('SweepRequest') },
      ),
    },
    '/api/sweeps/{id}': {
      parameters: [runId],
      get: operation('How far a sweep is, who worked on it, and once it is done what it comes to', {
        ...ok('Sweep', 'State and result'),
        ...refusals([404, 422, 503]),
      }),
      delete: operation('Takes away the items that have no result; asked for again, it goes on from there', {
        ...ok('SweepStatus', 'How far it is'),
        ...refusals([403, 404, 422, 503]),
      }),
    },
    '/api/analyses/{id}': {
      parameters: [runId],
      get: operation('Whole state of an analysis, with its result so far', {
        ...ok('Analysis', 'State'),
        ...refusals([404]),
      }),
      delete: operation('Cancels before the next step; what is finished stays readable', {
        ...ok('Analysis', 'State when the request arrived'),
        ...refusals([404]),
      }),
    },
    '/api/analyses/{id}/events': {
      parameters: [runId],
      get: operation('Server-sent events of an analysis', {
        ...eventBody(eventDescription(AnalysisEventSchemas, { analysis: 'Analysis', result: 'AnalysisResult' })),
        ...refusals([404]),
      }),
    },
    '/api/analyses/{id}/tensors': {
      parameters: [runId],
      get: operation('Result of an analysis that has ended', {
        ...tensors(
          '`patch.patched`, `patch.effect` or `knockout.without`, `knockout.change` [layers, spans] F32; `ablate.NAME` [runs]; `MODEL.LAYER.PART.MEASURE` and `MODEL.LAYER.MEASURE` of an allocation [classes], models by number; `snr.MODEL.METRIC` [entries, examples], models by number',
        ),
        ...refusals([404, 409]),
      }),
    },
    '/api/generate': {
      post: operation(
        'Continues a prompt and tells every token as it comes; who closes the stream cancels before the next token',
        {
          ...eventBody(eventDescription(GenerationEventSchemas, { token: 'GeneratedToken' })),
          ...refusals([400, 404, 413, 422, 503]),
        },
        { requestBody: body('GenerationRequest') },
      ),
    },
    '/api/openapi.json': { get: { summary: 'This document', responses: { 200: { description: 'OpenAPI 3.1' } } } },
  };
}

/** The OpenAPI 3.1 document of the HTTP API, derived from the zod schemas. */
export function openApiDocument(version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'Statescope',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Runs selective state-space language models and reads their implicit attention, logit lens and signal per layer. Matrices travel as safetensors bodies.',
    },
    paths: paths(),
    components: {
      schemas: Object.fromEntries(
        Object.entries(COMPONENT_SCHEMAS).map(([name, schema]) => [name, jsonSchema(schema)]),
      ),
    },
  };
}
