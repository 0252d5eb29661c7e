import { join } from 'node:path';
import type { AnalysisRequest } from '@/lib/api/causal';
import type { UsedTokenizer } from '@/lib/api/schemas';
import type { TrainingRuns } from '@/lib/api/training';
import { prepareAllocations, prepareFormerly } from '../compute/causal/allocation-batches';
import { prepareTest } from '../compute/causal/causal';
import { prepareFaithfulness } from '../compute/causal/faithfulness-batches';
import { prepareSnr } from '../compute/causal/snr-batches';
import { Catalogue } from '../compute/models/catalogue';
import type { FoldersState } from '../compute/models/model-folders';
import { measureOf } from '../compute/runs/estimates';
import { prepareGeneration } from '../compute/runs/generation';
import { Prompts } from '../compute/runs/prompts';
import { TrainingFolders } from '../compute/training-runs';
import type { PreparedAnalysis } from '../prepared';
import type { Settings } from '../settings';
import type { ReaderMethod, ReaderMethods } from './protocol';

/** Everything a reader does, apart from its message port: model folders, configs, headers, and text by tokenizers. */
export class Reader {
  readonly catalogue: Catalogue;
  readonly #runs = new TrainingFolders();
  readonly #tools: { readonly catalogue: Catalogue; readonly prompts: Prompts; readonly settings: Settings };

  /** @param beginning told of a model before its tokenizer is at work */
  constructor(settings: Settings, folders: FoldersState | undefined, beginning: (model: string) => void) {
    this.catalogue = new Catalogue(settings.root, settings.dataFolder, folders);
    this.#tools = {
      catalogue: this.catalogue,
      prompts: new Prompts(this.catalogue, settings, beginning),
      settings,
    };
  }

  readonly #methods: {
    readonly [M in ReaderMethod]: (argument: ReaderMethods[M]['argument']) => Promise<ReaderMethods[M]['result']>;
  } = {
    models: () => this.catalogue.list(),
    addFolder: (folder) => this.catalogue.addFolder(folder),
    removeFolder: (folder) => this.catalogue.removeFolder(folder),
    chooseTokenizer: ({ model, tokenizer }) => this.catalogue.chooseTokenizer(model, tokenizer),
    training: ({ folder }) => this.#training(folder),
    tokenize: ({ model, text }) => this.#tools.prompts.tokenize(model, text),
    vocabulary: ({ model, q, limit }) => this.#tools.prompts.vocabulary(model, q, limit),
    prepare: (request) => this.#tools.prompts.prepare(request),
    measure: (request) => measureOf(request, this.#tools),
    prepareAnalysis: async (request) => {
      const prepared = await this.#prepared(request);
      const models = 'models' in request ? request.models.flat() : [request.model];
      return { ...prepared, ...(await this.#tokenizersOf(models)) };
    },
    prepareGeneration: async (request) => {
      const prepared = await prepareGeneration(request, this.#tools);
      return { ...prepared, tokenizer: (await this.#tokenizersOf([request.model])).tokenizers?.[request.model] };
    },
    spell: ({ model, ...unspelled }) => this.#tools.prompts.spell(model, unspelled),
    encodeWithin: ({ model, text, most }) => this.#tools.prompts.encodeWithin(model, text, most),
    answerTokens: ({ model, text }) => this.#tools.prompts.answerTokens(model, text),
  };

  async #prepared(request: AnalysisRequest): Promise<PreparedAnalysis> {
    if (request.kind === 'allocation') return prepareAllocations(request, this.#tools);
    if (request.kind === 'faithfulness') return prepareFaithfulness(request, this.#tools);
    if (request.kind === 'snr') return prepareSnr(request, this.#tools);
    if (request.kind === 'cancellation' || request.kind === 'cancellation_batch')
      return prepareFormerly(request, this.#tools);
    return prepareTest(request, this.#tools);
  }

  /** What reads the text of models; nothing where none has a tokenizer. */
  async #tokenizersOf(models: readonly string[]): Promise<Pick<PreparedAnalysis, 'tokenizers'>> {
    const found: Record<string, UsedTokenizer> = {};
    for (const model of models) {
      const choice = await this.catalogue.tokenizerChoice(model);
      if (choice) found[model] = { name: choice.name, source: choice.source };
    }
    return Object.keys(found).length > 0 ? { tokenizers: found } : {};
  }

  /** Where `train` and experiments leave runs: among the models, and in folders of their own beside them. */
  #training(folder?: string): Promise<TrainingRuns> {
    const { root } = this.#tools.settings;
    const places = [...this.catalogue.places, join(root, 'runs'), join(root, 'experiments')];
    return this.#runs.list(root, [...new Set(places)], folder);
  }

  /** @throws ServiceError, InputError. */
  answer<M extends ReaderMethod>(
    method: M,
    argument: ReaderMethods[M]['argument'],
  ): Promise<ReaderMethods[M]['result']> {
    return this.#methods[method](argument);
  }
}
