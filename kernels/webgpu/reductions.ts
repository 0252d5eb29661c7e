/** What threads make of a value of each: a function of the WGSL by its name, with how many values it takes at a time. */
export type Reductions = Readonly<Partial<Record<'total' | 'highest', number>>>;

interface Operation {
  readonly name: keyof Reductions;
  readonly across: string;
  readonly merged: (a: string, b: string) => string;
  /** Changes nothing that it is merged with. */
  readonly neutral: string;
}

const OPERATIONS: readonly Operation[] = [
  { name: 'total', across: 'subgroupAdd', merged: (a, b) => `${a} + ${b}`, neutral: '0.0' },
  { name: 'highest', across: 'subgroupMax', merged: (a, b) => `max(${a}, ${b})`, neutral: '-3.4e38' },
];

/** Stands before programs on devices that have subgroups: WGSL wants it before everything else, which is tfjs's. */
export const ENABLE_SUBGROUPS = 'enable subgroups;\n';

/**
 * WGSL of `total(array(a, b, …))` and `highest(array(a, b, …))`: the sum and the largest of each value over the threads of a
 * workgroup (a power of two), to every thread. To be called where control flow is uniform. In 2 barriers with subgroups, of
 * whatever size; in 2 + log₂(threads) through workgroup memory.
 */
export const reductionsOf = (what: Reductions, threads: number, subgroups: boolean): string =>
  OPERATIONS.flatMap((operation) => {
    const count = what[operation.name];
    return count === undefined ? [] : [(subgroups ? bySubgroups : byHalves)(operation, threads, count)];
  }).join('\n');

/**
 * Which threads a subgroup has, and how many, is the device's choice and may differ between two of a workgroup: each leaves
 * its share in the place of one of its threads, nothing in those of the others, and adds up the places of all by itself.
 */
const bySubgroups = ({ name, across, merged, neutral }: Operation, threads: number, count: number) => `
var<workgroup> ${name}Shares: array<f32, ${threads * count}>;
fn ${name}(values: array<f32, ${count}>) -> array<f32, ${count}> {
  let speaks = subgroupElect();
  for (var k = 0u; k < ${count}u; k++) {
    let share = ${across}(values[k]);
    ${name}Shares[k * ${threads}u + localIndex] = select(${neutral}, share, speaks);
  }
  workgroupBarrier();
  let lane = subgroupExclusiveAdd(1u);
  let lanes = subgroupAdd(1u);
  var all: array<f32, ${count}>;
  for (var k = 0u; k < ${count}u; k++) {
    var some = ${neutral};
    for (var first = 0u; first < ${threads}u; first += lanes) {
      if (first + lane < ${threads}u) {
        some = ${merged('some', `${name}Shares[k * ${threads}u + first + lane]`)};
      }
    }
    all[k] = ${across}(some);
  }
  workgroupBarrier();
  return all;
}`;

const byHalves = ({ name, merged }: Operation, threads: number, count: number) => {
  const at = (thread: string) => `${name}Shares[k * ${threads}u + ${thread}]`;
  return `
var<workgroup> ${name}Shares: array<f32, ${threads * count}>;
fn ${name}(values: array<f32, ${count}>) -> array<f32, ${count}> {
  for (var k = 0u; k < ${count}u; k++) { ${at('localIndex')} = values[k]; }
  for (var half = ${threads / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (localIndex < half) {
      for (var k = 0u; k < ${count}u; k++) { ${at('localIndex')} = ${merged(at('localIndex'), at('localIndex + half'))}; }
    }
  }
  workgroupBarrier();
  var all: array<f32, ${count}>;
  for (var k = 0u; k < ${count}u; k++) { all[k] = ${at('0u')}; }
  workgroupBarrier();
  return all;
}`;
};
