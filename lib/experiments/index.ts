export { experimentFolder, readExperiment, SCALES, type Scale } from './config';
export { dryRun, type Estimate } from './dry-run';
export { resultsFolder } from './plan';
export { writeReport } from './report';
export { experimentStatus, findingsOf, type PartStatus, runExperiment } from './work';
