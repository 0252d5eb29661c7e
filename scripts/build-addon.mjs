#!/usr/bin/env node
// Builds the native kernels. Exit code 0 either way: without them Statescope runs on its portable kernels.
import { buildAddon } from '../kernels/native/build.mjs';

await buildAddon({ log: (line) => console.log(line) });
