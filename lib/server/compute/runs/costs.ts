import { scansOf } from '@/lib/architectures/places';
import { type BlockConfig, isHybrid, type ModelConfig } from '@/lib/checkpoint/types';
import { keptBytes } from './estimate';

/**
 * What the stages of a run consist of, each in a unit whose time is a property of the device: operations (a multiply-add is
 * two), and pieces of work that cost something however small they are.
 */
export const UNITS = [
  /** Forward passes of a block; parameters of its projections, read once; their operations; updates of S6 and of SSD states. */
  'block',
  'weight',
  'product',
  's6State',
  'ssdState',
  /** Bytes of what a block left that are kept: a copy into new memory, whose pages a machine may be slow to hand out. */
  'kept',
  /**
   * Default maps; what an S6 map reads of channels and states, and an SSD map of states and heads; updates of states in the
   * scan that a map is checked by.
   */
  'map',
  's6Read',
  'ssdRead',
  's6Check',
  'ssdCheck',
  /** Lens entries; operations of their unembedding. */
  'entry',
  'unembedding',
  /** Models that are loaded; their parameters. */
  'model',
  'parameter',
  /** Models of a run: what it takes beside its stages. */
  'run',
] as const;

export type Unit = (typeof UNITS)[number];
export type Cost = Readonly<Partial<Record<Unit, number>>>;

const scans = (block: BlockConfig) => scansOf(block).length;

/** Parameters of a scan's projections. */
function projected({ d, E, N, R, H, G }: BlockConfig['mixer']): number {
  return H > 0 ? d * (2 * E + 2 * G * N + H) + E * d : 2 * d * E + E * (R + 2 * N) + R * E + E * d;
}

/** Parameters of a block's attention and MLP. */
function besideScans(block: BlockConfig, d: number): number {
  if (!isHybrid(block)) return 0;
  const { attention, mlp } = block;
  const heads = attention ? 2 * (attention.H + attention.KV) * attention.D : 0;
  return d * (heads + 3 * (mlp?.width ?? 0));
}

/** Operations of attention's products of queries, keys and values. */
function pairs(block: BlockConfig, L: number): number {
  const attention = isHybrid(block) ? block.attention : undefined;
  return attention ? 4 * attention.H * attention.D * L * L : 0;
}

/** Updates of states in the scans of a block over L tokens. */
const updates = (block: BlockConfig, L: number) => scans(block) * L * block.mixer.E * block.mixer.N;

/** The forward pass of one block over L tokens. */
export function blockCost(block: BlockConfig, L: number): Cost {
  const { H, d } = block.mixer;
  const weight = scans(block) * projected(block.mixer) + besideScans(block, d);
  const states = updates(block, L);
  return {
    block: 1,
    weight,
    product: 2 * weight * L + pairs(block, L),
    ...(H > 0 ? { ssdState: states } : { s6State: states }),
  };
}

/** Keeping what a block over L tokens left. */
const keepingCost = (block: BlockConfig, L: number): Cost => ({ kept: keptBytes(block, L) });

/** The default map of one block: the mean over its channels or heads. */
export function mapCost(block: BlockConfig, L: number): Cost {
  const { E, N, H } = block.mixer;
  const read = scans(block) * L * L;
  const checked = updates(block, L);
  return {
    map: 1,
    product: pairs(block, L),
    ...(H > 0 ? { ssdRead: read * (N + H), ssdCheck: checked } : { s6Read: read * E * N, s6Check: checked }),
  };
}

/** The lens of one layer at the one token that is read. */
export const readoutCost = ({ d, V }: ModelConfig): Cost => ({ entry: 1, unembedding: 2 * d * V });

/** Reading a model's weights to the device. */
export const loadingCost = (parameters: number): Cost => ({ model: 1, parameter: parameters });

export function sum(costs: readonly Cost[]): Cost {
  const total: Partial<Record<Unit, number>> = {};
  for (const cost of costs) for (const unit of UNITS) if (cost[unit]) total[unit] = (total[unit] ?? 0) + cost[unit];
  return total;
}

/** What a run does with a block, stage by stage. */
export const blockStages = (config: ModelConfig, block: BlockConfig, L: number) => ({
  forward: blockCost(block, L),
  keeping: keepingCost(block, L),
  map: mapCost(block, L),
  readout: readoutCost(config),
});

/** One model's part of a run from block `first` on. Loading is apart. */
export const runCost = (config: ModelConfig, L: number, first = 0): Cost =>
  sum([{ run: 1 }, ...config.blocks.slice(first).flatMap((block) => Object.values(blockStages(config, block, L)))]);
