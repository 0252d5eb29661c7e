/** The devices that can run a model, in the order in which `auto` tries them. */
export const DEVICES = ['webgpu', 'tensorflow', 'native', 'wasm', 'cpu'] as const;

export type DeviceName = (typeof DEVICES)[number];

export interface Device {
  readonly name: DeviceName;
  /** For people: what computes, such as "C++ add-on, AVX2, 2 threads". */
  readonly description: string;
  readonly threads: number;
}
